//! What Linux knows about the adapter behind a serial port.
//!
//! Opens nothing; reads files of sysfs.

use std::fs;
use std::path::Path;

/// Where the kernel tells of devices.
pub const SYSFS: &str = "/sys";

/// The longest latency timer with which nothing is wrong (ms).
const LONGEST_TIMER_MS: u32 = 1;

/// How long the adapter of a port holds bytes back (ms); `None` for one that has no such timer, as CDC ACM.
///
/// `sysfs` is [`SYSFS`], or a folder that looks like it; links to the port are followed.
pub fn latency_timer_ms(sysfs: &Path, port: &str) -> Option<u32> {
    let device = fs::canonicalize(port).ok()?;
    let timer = sysfs.join("class/tty").join(device.file_name()?).join("device/latency_timer");
    fs::read_to_string(timer).ok()?.trim().parse().ok()
}

/// What to tell the user about the adapter of a port, where something should be done.
pub fn advice(sysfs: &Path, port: &str) -> Option<String> {
    let timer_ms = latency_timer_ms(sysfs, port).filter(|timer_ms| LONGEST_TIMER_MS < *timer_ms)?;
    Some(format!(
        "the adapter of {port} holds every answer back for {timer_ms} ms (its latency_timer); set it to 1 ms with \
         udev/99-servo-arm.rules of this package, which belongs into /etc/udev/rules.d"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_with_a_latency_timer_of_16_ms_is_named_with_the_rule_that_cures_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let device = path("class/tty/ttyUSB3/device");
        fs::create_dir_all(&device).unwrap();
        fs::write(path("ttyUSB3"), "").unwrap();
        std::os::unix::fs::symlink(path("ttyUSB3"), path("usb-FTDI-port0")).unwrap();
        let port = path("usb-FTDI-port0").display().to_string();
        let set = |timer: &str| fs::write(device.join("latency_timer"), timer).unwrap();

        assert_eq!(latency_timer_ms(folder.path(), &port), None, "an adapter without a timer");
        set("16\n");
        let advice_given = advice(folder.path(), &port).unwrap();
        let names = |part: &str| advice_given.contains(part);
        assert!(names(&port) && names("16 ms") && names("udev/99-servo-arm.rules"), "{advice_given}");
        set("1\n");
        assert_eq!((latency_timer_ms(folder.path(), &port), advice(folder.path(), &port)), (Some(1), None));
        set("nonsense");
        assert_eq!(advice(folder.path(), &port), None);
        assert_eq!(advice(folder.path(), "tcp://localhost:1"), None);
    }

    #[test]
    fn the_rule_is_shipped_and_sets_the_timer() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let rules = fs::read_to_string(root.join("udev/99-servo-arm.rules")).unwrap();
        assert!(rules.contains(r#"ATTR{latency_timer}="1""#));
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let installed = manifest.lines().find(|line| line.starts_with("install_to_share")).unwrap();
        assert!(installed.contains(r#""udev""#), "{installed}");
    }
}
