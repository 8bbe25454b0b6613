//! What the lifecycles of the controllers' nodes ask, which is what the manager could be asked for them.

use super::{Asker, ControllerManager, LONGEST_SWITCH};
use crate::control::lifecycle::Task;
use crate::control::roster::Strictness;
use crate::control::switching::Switching;

impl ControllerManager {
    /// What a controller's node is asked is what the manager could be asked for it.
    pub(super) fn obey_node(&mut self, index: usize, task: Task) {
        let Some(controller) = self.roster.get(index) else { return };
        let names = [controller.name.clone()];
        let planned = match task {
            Task::Configure => self.roster.configure(&names[0]).map(|()| None),
            Task::CleanUp => self.roster.clean_up(&names[0]).map(|()| None),
            Task::Activate => self.roster.plan(&names, &[], Strictness::Strict).map(Some),
            Task::ShutDown if !controller.is_active() => Ok(None),
            Task::Deactivate | Task::ShutDown => self.roster.plan(&[], &names, Strictness::Strict).map(Some),
        };
        match planned {
            Ok(Some(plan)) => {
                self.begin_switch(Asker::Node(index, task), Switching::new(plan, true), LONGEST_SWITCH);
            }
            Ok(None) => self.end_task(index, task, Ok(())),
            Err(refusal) => self.end_task(index, task, Err(refusal.to_string())),
        }
    }

    pub(super) fn end_task(&mut self, index: usize, task: Task, ended: Result<(), String>) {
        if ended.is_ok() && task == Task::ShutDown {
            self.roster.shut_down(index);
        }
        self.show();
        if let Some(node) = self.nodes.get(index) {
            node.finish(ended);
        }
    }
}
