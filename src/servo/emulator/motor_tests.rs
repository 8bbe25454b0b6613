use super::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn it_arrives_at_its_goal_and_stays() {
    let mut motor = motor();
    motor.advance(1000 * MS, &to(3000.0));
    assert!((motor.position() - 3000.0).abs() < 0.5, "{}", motor.position());
    assert!(motor.speed().abs() < 1.0);
}

#[test]
fn it_hardly_overshoots_and_never_exceeds_its_speed() {
    let mut motor = motor();
    for _ in 0..2000 {
        motor.advance(MS, &to(3000.0));
        assert!(motor.position() < 3005.0, "{}", motor.position());
        assert!(motor.speed() <= 3520.0);
    }
}

#[test]
fn speed_and_acceleration_limits_are_kept() {
    let mut motor = motor();
    let drive = Drive { speed_limit: 500.0, acceleration_limit: 1000.0, ..to(4000.0) };
    motor.advance(100 * MS, &drive);
    assert!((motor.speed() - 100.0).abs() < 5.0, "{}", motor.speed());
    motor.advance(900 * MS, &drive);
    assert!((motor.speed() - 500.0).abs() < 1.0, "{}", motor.speed());
}

#[test]
fn a_stream_of_goals_is_followed_smoothly_one_time_constant_behind() {
    let mut motor = motor();
    let (mut slowest, mut fastest) = (f64::MAX, f64::MIN);
    for cycle in 0..200 {
        let goal = 2048.0 + f64::from(cycle) * 5.0;
        motor.advance(5 * MS, &to(goal.round()));
        if 50 < cycle {
            slowest = slowest.min(motor.speed());
            fastest = fastest.max(motor.speed());
        }
    }
    let lag = (2048.0 + 200.0 * 5.0 - motor.position()) / 1000.0;
    assert!((0.005..0.025).contains(&lag), "{lag}");
    assert!(600.0 < slowest && fastest < 1400.0, "{slowest} {fastest}");
}

#[test]
fn a_load_makes_it_sag_in_proportion() {
    let mut motor = motor();
    motor.set_load(0.2);
    motor.advance(1000 * MS, &to(2048.0));
    assert!((2048.0 - motor.position() - 24.0).abs() < 0.5, "{}", motor.position());
    assert!((motor.duty() - 0.2).abs() < 0.01);
}

#[test]
fn a_free_motor_falls_and_friction_holds_a_small_load() {
    let mut falling = motor();
    falling.set_load(0.3);
    falling.advance(500 * MS, &free());
    assert!(falling.position() < 1800.0, "{}", falling.position());
    let mut resting = motor();
    resting.set_load(0.03);
    resting.advance(500 * MS, &free());
    assert_eq!(resting.position(), 2048.0);
}

#[test]
fn without_effort_nothing_moves() {
    let mut motor = motor();
    motor.advance(1000 * MS, &Drive { effort_limit: 0.0, ..to(3000.0) });
    assert_eq!(motor.position(), 2048.0);
}

#[test]
fn an_obstacle_stalls_it_at_full_effort_and_heats_it() {
    let mut motor = motor();
    motor.block(2500.0);
    motor.advance(30_000 * MS, &to(3000.0));
    assert_eq!(motor.position(), 2500.0);
    assert!(0.99 < motor.duty());
    assert!(35.0 < motor.temperature(), "{}", motor.temperature());
    assert!(2.0 < motor.current_a());
    motor.unblock();
    motor.advance(1000 * MS, &to(3000.0));
    assert!((motor.position() - 3000.0).abs() < 0.5);
}

#[test]
fn play_in_the_gears_shows_on_reversal() {
    let config = MotorConfig { backlash_ticks: 10.0, ..MotorConfig::default() };
    let mut motor = Motor::new(config, 2048.0);
    motor.advance(1000 * MS, &to(2100.0));
    let forth = motor.position();
    motor.advance(1000 * MS, &to(2200.0));
    motor.advance(1000 * MS, &to(2100.0));
    assert!((motor.position() - forth - 10.0).abs() < 0.5, "{} {forth}", motor.position());
}

#[test]
fn steps_of_any_size_lead_to_the_same_place() {
    let (mut coarse, mut fine) = (motor(), motor());
    coarse.advance(200 * MS, &to(2600.0));
    for _ in 0..200 {
        fine.advance(MS, &to(2600.0));
    }
    assert!((coarse.position() - fine.position()).abs() < 0.1);
}

fn motor() -> Motor {
    Motor::new(MotorConfig::default(), 2048.0)
}

fn to(goal: f64) -> Drive {
    Drive {
        aim: Aim::Position(goal),
        speed_limit: 3520.0,
        acceleration_limit: f64::INFINITY,
        effort_limit: 1.0,
        stiffness: 1.0,
    }
}

fn free() -> Drive {
    Drive { aim: Aim::Free, ..to(0.0) }
}
