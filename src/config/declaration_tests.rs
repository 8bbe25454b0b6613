use super::*;

fn given(entries: &[(&str, Value)]) -> Parameters {
    entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[test]
fn a_default_is_declared_like_a_given_value() {
    let given = given(&[("rate", Value::Integer(50))]);
    let mut declaration = Declaration::new(&given);
    assert_eq!(declaration.or("rate", 100.0, "Hz"), 50.0);
    assert_eq!(declaration.or("port", "x".to_owned(), "Port"), "x");
    let (declared, errors) = declaration.finish();
    assert_eq!(declared["port"].value, Some(Value::String("x".into())));
    assert_eq!(declared["rate"].value, Some(Value::Double(50.0)));
    assert_eq!(errors, []);
}

#[test]
fn a_wrong_type_names_parameter_value_and_type() {
    let given = given(&[("rate", Value::String("fast".into()))]);
    assert_eq!(
        first_error(&given, |d| d.or("rate", 1.0, "Hz")),
        "parameter `rate` is \"fast\" (string); it must be a double"
    );
}

#[test]
fn a_declaration_says_what_may_change_and_where_values_lie() {
    let given = Parameters::new();
    let mut declaration = Declaration::new(&given);
    declaration.changeable().number_in("rate", 1.0, 0.0..=f64::INFINITY, "Hz");
    declaration.integer_in("id", 1, 1..=253, "Id");
    declaration.number_in("offset", 0.0, f64::NEG_INFINITY..=f64::INFINITY, "rad");
    declaration.one_of("policy", "hold", &[("hold", 1), ("release", 2)], "Policy");
    let (declared, _) = declaration.finish();
    assert!(declared["rate"].changeable && !declared["id"].changeable);
    assert_eq!(declared["rate"].range, Some(Range::Double(0.0..=f64::INFINITY)));
    assert_eq!(declared["id"].range, Some(Range::Integer(1..=253)));
    assert_eq!(declared["offset"].range, None);
    assert_eq!(declared["policy"].constraints, "one of \"hold\", \"release\"");
}

#[test]
fn only_what_is_given_in_vain_is_remarked_on() {
    let given = given(&[
        ("gain", Value::Double(1.0)),
        ("rate", Value::Bool(true)),
        ("least", Value::Double(f64::NEG_INFINITY)),
        ("delay", Value::Integer(0)),
    ]);
    let mut declaration = Declaration::new(&given);
    declaration.no_meaning("for servos").or("gain", 0.0, "Gain");
    declaration.no_meaning("for servos").or("least", f64::NEG_INFINITY, "Its default is given.");
    declaration.no_meaning("for servos").or("delay", 0.0, "Its default is given, as another type.");
    declaration.no_meaning("for servos").or("clamp", 0.0, "Clamp");
    declaration.no_meaning("here").accept("rate", "Rate");
    let remarks = declaration.remarks().join("; ");
    assert_eq!(
        remarks,
        "parameter `gain` has no meaning for servos; it is ignored; \
         parameter `rate` has no meaning here; it is ignored"
    );
    assert_eq!(declaration.finish().1, []);
}

#[test]
fn what_must_be_given_is_missed_by_name_and_purpose() {
    let error = first_error(&Parameters::new(), |d| d.required::<String>("port", "Serial port of the bus."));
    assert_eq!(error, "parameter `port` is missing: Serial port of the bus.");
}

#[test]
fn numbers_outside_their_range_and_nan_are_refused() {
    for bad in [-1.0, 11.0, f64::NAN, f64::INFINITY] {
        let given = given(&[("rate", Value::Double(bad))]);
        let error = first_error(&given, |d| d.number_in("rate", 1.0, 0.0..=10.0, "Hz"));
        assert!(error.contains("from 0 to 10"), "{error}");
    }
}

#[test]
fn a_word_that_is_no_choice_is_told_the_choices() {
    let given = given(&[("policy", Value::String("drop".into()))]);
    let error = first_error(&given, |d| d.one_of("policy", "hold", &[("hold", 1), ("release", 2)], "Policy"));
    assert_eq!(error, "parameter `policy` is \"drop\"; it must be one of \"hold\", \"release\"");
}

#[test]
fn an_unknown_name_is_named_with_the_one_it_resembles() {
    let given = given(&[("prot", Value::Bool(true)), ("use_sim_time", Value::Bool(false))]);
    let known = ["port".to_owned(), "rate".to_owned()];
    let error = reject_unknown(&given, &known).unwrap_err().to_string();
    assert_eq!(error, "no node knows parameter `prot`; did you mean `port`?");
    assert_eq!(reject_unknown(&Parameters::new(), &known), Ok(()));
}

fn first_error<T>(given: &Parameters, read: impl FnOnce(&mut Declaration<'_>) -> T) -> String {
    let mut declaration = Declaration::new(given);
    read(&mut declaration);
    declaration.finish().1[0].to_string()
}
