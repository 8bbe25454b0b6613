//! What the control thread asks of the operating system, and in plain words what it was refused.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::thread::{CpuSet, sched_setaffinity, set_current_timer_slack};
use std::num::NonZeroU64;
use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};
use thread_priority::{ThreadPriority, ThreadPriorityValue};

use crate::config::hardware::RealtimeConfig;

/// Sets up the calling thread; gives a sentence for each thing that was not permitted.
pub fn set_up_current_thread(config: &RealtimeConfig) -> Vec<String> {
    // Without it Linux may wake an ordinary thread 50 µs late, to save energy.
    let slack =
        set_current_timer_slack(NonZeroU64::new(1)).err().map(|e| format!("timer slack not set ({e})"));
    let refused = [slack, set_priority(config), lock_memory(config), set_affinity(config)];
    refused.into_iter().flatten().collect()
}

fn set_priority(config: &RealtimeConfig) -> Option<String> {
    let priority = config.fifo_priority?;
    let value = ThreadPriorityValue::try_from(priority).ok()?;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let set =
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(value), policy);
    set.err().map(|error| {
        format!(
            "no SCHED_FIFO priority {priority} for the control thread ({error}); allow it with `rtprio 99` for your \
             user in /etc/security/limits.conf, or set realtime.fifo_priority to 0"
        )
    })
}

fn lock_memory(config: &RealtimeConfig) -> Option<String> {
    if !config.lock_memory {
        return None;
    }
    let locked = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE);
    locked.err().map(|error| {
        format!(
            "memory not locked ({error}); allow it with `memlock unlimited` for your user in \
             /etc/security/limits.conf, or set realtime.lock_memory to false"
        )
    })
}

fn set_affinity(config: &RealtimeConfig) -> Option<String> {
    if config.cpu_affinity.is_empty() {
        return None;
    }
    let mut processors = CpuSet::new();
    config.cpu_affinity.iter().for_each(|&cpu| processors.set(cpu));
    sched_setaffinity(None, &processors).err().map(|error| {
        format!(
            "control thread not tied to processors {:?} ({error}); see realtime.cpu_affinity",
            config.cpu_affinity
        )
    })
}
