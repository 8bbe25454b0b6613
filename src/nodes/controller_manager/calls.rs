//! The calls of a controller manager's services, as two streams: questions, and orders.

use anyhow::Result;
use futures::StreamExt as _;
use futures::stream::{BoxStream, SelectAll, select_all};
use r2r::controller_manager_msgs::srv::{
    CleanupController, ConfigureController, ListControllerTypes, ListControllers, ListHardwareComponents,
    ListHardwareInterfaces, LoadController, ReloadControllerLibraries, SetHardwareComponentState,
    SwitchController, UnloadController,
};
use r2r::{Node, ServiceRequest, WrappedServiceTypeSupport};

use super::super::parameters::service;
use crate::control::lifecycle::Task;

/// A call that changes nothing.
pub(super) enum Question {
    Controllers(ServiceRequest<ListControllers::Service>),
    Types(ServiceRequest<ListControllerTypes::Service>),
    Components(ServiceRequest<ListHardwareComponents::Service>),
    Interfaces(ServiceRequest<ListHardwareInterfaces::Service>),
}

/// A call that asks for a change.
pub(super) enum Order {
    Load(ServiceRequest<LoadController::Service>),
    Unload(ServiceRequest<UnloadController::Service>),
    Configure(ServiceRequest<ConfigureController::Service>),
    CleanUp(ServiceRequest<CleanupController::Service>),
    Switch(ServiceRequest<SwitchController::Service>),
    Reload(ServiceRequest<ReloadControllerLibraries::Service>),
    Hardware(ServiceRequest<SetHardwareComponentState::Service>),
    /// Of the node of the controller with that number.
    Node(usize, Task),
}

/// All calls.
pub(super) struct Calls {
    pub(super) questions: SelectAll<BoxStream<'static, Question>>,
    pub(super) orders: SelectAll<BoxStream<'static, Order>>,
}

impl Calls {
    /// Creates the services on `node`.
    pub(super) fn offer(node: &mut Node) -> Result<Self> {
        let questions = [
            stream(node, "~/list_controllers", Question::Controllers)?,
            stream(node, "~/list_controller_types", Question::Types)?,
            stream(node, "~/list_hardware_components", Question::Components)?,
            stream(node, "~/list_hardware_interfaces", Question::Interfaces)?,
        ];
        let orders = [
            stream(node, "~/load_controller", Order::Load)?,
            stream(node, "~/unload_controller", Order::Unload)?,
            stream(node, "~/configure_controller", Order::Configure)?,
            stream(node, "~/cleanup_controller", Order::CleanUp)?,
            stream(node, "~/switch_controller", Order::Switch)?,
            stream(node, "~/reload_controller_libraries", Order::Reload)?,
            stream(node, "~/set_hardware_component_state", Order::Hardware)?,
        ];
        Ok(Self { questions: select_all(questions), orders: select_all(orders) })
    }
}

fn stream<S, C>(
    node: &mut Node,
    name: &str,
    call: impl FnMut(ServiceRequest<S>) -> C + Send + 'static,
) -> Result<BoxStream<'static, C>>
where
    S: WrappedServiceTypeSupport + 'static,
{
    Ok(service::<S>(node, name)?.map(call).boxed())
}
