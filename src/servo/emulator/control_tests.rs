use super::*;
use crate::protocol::feetech::Id;
use crate::servo::emulator::bus::BusConfig;

const NOW: Time = Time(0);

#[test]
fn every_fault_can_be_asked_for_by_name() {
    for name in Kind::NAMES {
        let its_own = match name {
            "late" | "dribble" => "ms=5",
            "alarm" => "bits=overload,voltage",
            _ => "",
        };
        let command = Command::parse(&format!("fault {name} id=3 count=2 {its_own}"));
        let Ok(Command::Fault(fault)) = command else { panic!("{name}: {command:?}") };
        assert_eq!((fault.kind.name(), fault.id, fault.count), (name, Some(3), Some(2)));
    }
}

#[test]
fn errors_name_what_is_wrong() {
    for (line, error) in [
        ("", "a command is missing"),
        ("dance", "there is no command `dance`; try `help`"),
        ("fault late id=1", "ms=… is missing"),
        ("fault silent id=x", "id=x is not a servo's id"),
        ("fault silent idd=1", "`idd=1` does not belong here"),
        (
            "fault alarm bits=rust",
            "there is no alarm `rust`; there are voltage, angle, overheat, overcurrent, overload",
        ),
        ("get id=1 warp", "there is no register `warp`"),
        ("get id=9 lock", "there is no servo 9"),
        ("set id=1", "nothing to set: name temperature, ambient, voltage, position or a register"),
        ("set id=1 voltage=nan", "voltage=nan is not a number"),
    ] {
        assert_eq!(told(&mut bus(), line), Err(error.to_owned()), "{line}");
    }
}

#[test]
fn registers_and_surroundings_can_be_set_and_read() {
    let mut bus = bus();
    for (line, register, value) in [
        ("set id=2 position=1.0rad", "present_position", "2700"),
        ("set id=2 position=1000", "PRESENT_POSITION", "1000"),
        ("set id=2 temperature=71", "present_temperature", "71"),
        ("set id=2 voltage=6.1", "present_voltage", "61"),
        ("set id=2 goal_position=-5", "goal_position", "-5"),
    ] {
        told(&mut bus, line).unwrap();
        let later = Time(1_000);
        let answer = Command::parse(&format!("get id=2 {register}")).unwrap().carry_out(&mut bus, later);
        bus.servo_mut(1).unwrap().advance(Time(2_000));
        assert_eq!(answer.as_deref(), Ok(value), "{line}");
        bus = self::bus();
    }
}

#[test]
fn state_and_stats_are_json() {
    let mut bus = bus();
    let state: serde_json::Value = serde_json::from_str(&told(&mut bus, "state").unwrap()).unwrap();
    assert_eq!(state["servos"][1]["id"], 2);
    assert_eq!(state["servos"][1]["torque"], 0);
    let stats: serde_json::Value = serde_json::from_str(&told(&mut bus, "stats").unwrap()).unwrap();
    assert_eq!(stats["bad_frames"], 0);
}

#[test]
fn a_brown_out_takes_the_torque_and_the_voice() {
    let mut bus = bus();
    told(&mut bus, "set id=1 torque_enable=1").unwrap();
    told(&mut bus, "fault brownout ms=50").unwrap();
    assert_eq!(told(&mut bus, "get id=1 torque_enable").as_deref(), Ok("0"));
    assert!(!bus.servo_mut(0).unwrap().is_awake(Time(49_000_000)));
    assert!(bus.servo_mut(0).unwrap().is_awake(Time(50_000_000)));
}

#[test]
fn faults_are_injected_and_cleared() {
    let mut bus = bus();
    told(&mut bus, "fault silent id=1").unwrap();
    told(&mut bus, "fault noise probability=0.5").unwrap();
    assert_eq!(told(&mut bus, "clear silent").as_deref(), Ok("1 cleared"));
    assert_eq!(told(&mut bus, "clear").as_deref(), Ok("1 cleared"));
}

fn bus() -> Bus {
    Bus::new(BusConfig::new((1..=2).map(|id| Id::new(id).unwrap())), NOW)
}

fn told(bus: &mut Bus, line: &str) -> Result<String, String> {
    let command = Command::parse(line).map_err(|error| error.to_string())?;
    command.carry_out(bus, NOW).map_err(|error| error.to_string())
}
