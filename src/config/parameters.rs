//! ROS parameters as plain values: names with dots, and the eight types that ROS knows.
//!
//! Reads the YAML of `--params-file`, and what a command line says. The last word counts: a later file or `-p` over
//! an earlier one, in a file the later block over the earlier one. (`rcl` lets a block that names the node win over
//! everything that does not, so that a launch file could not say which port an arm is on.)

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_norway::Value as Yaml;

/// A parameter's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Double(f64),
    /// Text.
    String(String),
    /// Several of [`Value::Bool`].
    BoolArray(Vec<bool>),
    /// Several of [`Value::Integer`].
    IntegerArray(Vec<i64>),
    /// Several of [`Value::Double`].
    DoubleArray(Vec<f64>),
    /// Several of [`Value::String`].
    StringArray(Vec<String>),
}

impl Value {
    /// The type's name as ROS tools print it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Integer(_) => "integer",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::BoolArray(_) => "bool_array",
            Self::IntegerArray(_) => "integer_array",
            Self::DoubleArray(_) => "double_array",
            Self::StringArray(_) => "string_array",
        }
    }

    /// Whether this is a list without items.
    pub fn is_empty_list(&self) -> bool {
        match self {
            Self::BoolArray(values) => values.is_empty(),
            Self::IntegerArray(values) => values.is_empty(),
            Self::DoubleArray(values) => values.is_empty(),
            Self::StringArray(values) => values.is_empty(),
            _ => false,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value:?}"),
            Self::String(value) => write!(f, "{value:?}"),
            Self::BoolArray(values) => write!(f, "{values:?}"),
            Self::IntegerArray(values) => write!(f, "{values:?}"),
            Self::DoubleArray(values) => write!(f, "{values:?}"),
            Self::StringArray(values) => write!(f, "{values:?}"),
        }
    }
}

/// Parameter values by their full names (`constraints.goal_time`).
pub type Parameters = BTreeMap<String, Value>;

/// Why a parameter file gives no parameters.
#[derive(Debug, thiserror::Error)]
pub enum ParameterFileError {
    /// The file cannot be opened.
    #[error("cannot read parameter file {path}: {cause}", path = path.display())]
    Read {
        /// The file as it was given.
        path: PathBuf,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// The text is no YAML.
    #[error("parameter file {path} is not valid YAML: {cause}", path = path.display())]
    Syntax {
        /// The file as it was given.
        path: PathBuf,
        /// What the parser says, with line and column.
        cause: serde_norway::Error,
    },
    /// YAML, but not of the form `node: ros__parameters: name: value`.
    #[error("parameter file {path}: {problem}", path = path.display())]
    Shape {
        /// The file as it was given.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
}

/// Reads the parameters that the file at `path` gives to the node with the full name `node` (`/left/hardware_node`).
///
/// # Errors
/// Where the file cannot be read, is no YAML, or is not a ROS parameter file.
pub fn read(path: &Path, node: &str) -> Result<Parameters, ParameterFileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| ParameterFileError::Read { path: path.to_owned(), cause })?;
    of_text(&text, path, node)
}

/// The parameters that a file's text gives to a node; `path` is for errors only.
///
/// # Errors
/// Where it is no YAML, or not of the form of a ROS parameter file.
pub fn of_text(text: &str, path: &Path, node: &str) -> Result<Parameters, ParameterFileError> {
    let yaml: Yaml = serde_norway::from_str(text)
        .map_err(|cause| ParameterFileError::Syntax { path: path.to_owned(), cause })?;
    parameters_of(&yaml, node).map_err(|problem| ParameterFileError::Shape { path: path.to_owned(), problem })
}

/// What a command line gives to the node with the full name `node`: by `--params-file` and `-p`, in their order.
///
/// # Errors
/// Where a file is unusable.
pub fn of_command_line(arguments: &[String], node: &str) -> Result<Parameters, ParameterFileError> {
    let mut parameters = Parameters::new();
    for pair in arguments.windows(2) {
        match pair[0].as_str() {
            "--params-file" => parameters.extend(read(Path::new(&pair[1]), node)?),
            "-p" | "--param" => parameters.extend(assignment(&pair[1], node)),
            _ => {}
        }
    }
    Ok(parameters)
}

fn assignment(argument: &str, node: &str) -> Option<(String, Value)> {
    let (name, value) = argument.split_once(":=")?;
    let name = match name.split_once(':') {
        Some((block, name)) if is_meant(block, node) => name,
        Some(_) => return None,
        None => name,
    };
    Some((name.to_owned(), value_of(&serde_norway::from_str(value).ok()?)?))
}

/// Whether a block name means the node: by its name, its full name, or with `*` for one part of that and `**` for any.
fn is_meant(block: &str, node: &str) -> bool {
    fn matches(pattern: &[&str], name: &[&str]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            (["**", pattern @ ..], _) => (0..=name.len()).any(|skipped| matches(pattern, &name[skipped..])),
            ([first, pattern @ ..], [part, name @ ..]) => {
                (first == part || *first == "*") && matches(pattern, name)
            }
            _ => false,
        }
    }
    let parts: Vec<&str> = node.split('/').filter(|part| !part.is_empty()).collect();
    match block.strip_prefix('/') {
        Some(pattern) => matches(&pattern.split('/').collect::<Vec<_>>(), &parts),
        None => block == "**" || parts.last() == Some(&block),
    }
}

/// Later blocks override earlier ones, as in `rcl`.
fn parameters_of(file: &Yaml, node: &str) -> Result<Parameters, String> {
    let Yaml::Mapping(blocks) = file else {
        return Err("the top level must map node names to `ros__parameters`".into());
    };
    let mut parameters = Parameters::new();
    for (name, block) in blocks {
        let name = name.as_str().ok_or_else(|| format!("node name {name:?} is not a string"))?;
        if !is_meant(name, node) {
            continue;
        }
        let values = block
            .get("ros__parameters")
            .ok_or_else(|| format!("block `{name}` has no `ros__parameters` below it"))?;
        flatten("", values, &mut parameters)?;
    }
    Ok(parameters)
}

fn flatten(name: &str, yaml: &Yaml, into: &mut Parameters) -> Result<(), String> {
    if let Yaml::Mapping(children) = yaml {
        for (key, child) in children {
            let key = scalar_key(key).ok_or_else(|| format!("below `{name}`: key {key:?} is not a name"))?;
            let full = if name.is_empty() { key } else { format!("{name}.{key}") };
            flatten(&full, child, into)?;
        }
        return Ok(());
    }
    let value = value_of(yaml).ok_or_else(|| {
        format!("parameter `{name}` must be a bool, number, string, or a list of one of these")
    })?;
    into.insert(name.to_owned(), value);
    Ok(())
}

fn scalar_key(key: &Yaml) -> Option<String> {
    match key {
        Yaml::String(text) => Some(text.clone()),
        Yaml::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn value_of(yaml: &Yaml) -> Option<Value> {
    match yaml {
        Yaml::Bool(value) => Some(Value::Bool(*value)),
        Yaml::String(value) => Some(Value::String(value.clone())),
        Yaml::Number(number) => {
            number.as_i64().map(Value::Integer).or_else(|| number.as_f64().map(Value::Double))
        }
        Yaml::Sequence(items) => array_of(items),
        _ => None,
    }
}

fn array_of(items: &[Yaml]) -> Option<Value> {
    fn all<T>(items: &[Yaml], read: impl Fn(&Yaml) -> Option<T>) -> Option<Vec<T>> {
        items.iter().map(read).collect()
    }
    all(items, |item| item.as_str().map(str::to_owned))
        .map(Value::StringArray)
        .or_else(|| all(items, Yaml::as_bool).map(Value::BoolArray))
        .or_else(|| all(items, Yaml::as_i64).map(Value::IntegerArray))
        .or_else(|| all(items, Yaml::as_f64).map(Value::DoubleArray))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Parameters, String> {
        parameters_of(&serde_norway::from_str(text).unwrap(), "/hardware_node")
    }

    #[test]
    fn the_nodes_block_overrides_the_shared_one() {
        let parameters = parse(
            "/**:\n  ros__parameters:\n    rate: 100\n    joints: [a, b]\n\
             hardware_node:\n  ros__parameters:\n    rate: 200.0\n    servos: {a: {id: 1}}\n\
             other_node:\n  ros__parameters:\n    rate: 1\n",
        )
        .unwrap();
        assert_eq!(parameters["rate"], Value::Double(200.0));
        assert_eq!(parameters["joints"], Value::StringArray(vec!["a".into(), "b".into()]));
        assert_eq!(parameters["servos.a.id"], Value::Integer(1));
    }

    #[test]
    fn lists_keep_one_type_and_ints_among_doubles_are_doubles() {
        let parameters = parse("/**: {ros__parameters: {a: [1, 2.5], b: [1, 2], c: [true]}}").unwrap();
        assert_eq!(parameters["a"], Value::DoubleArray(vec![1.0, 2.5]));
        assert_eq!(parameters["b"], Value::IntegerArray(vec![1, 2]));
        assert_eq!(parameters["c"], Value::BoolArray(vec![true]));
    }

    #[test]
    fn the_command_line_counts_last_and_may_name_the_node() {
        let arguments =
            ["--ros-args", "-p", "port:=/tmp/a", "-p", "other_node:rate:=1", "-p", "rate:=5", "--param"];
        let mut arguments = arguments.map(str::to_owned).to_vec();
        arguments.push("hardware_node:port:=/tmp/b".into());
        let parameters = of_command_line(&arguments, "/hardware_node").unwrap();
        assert_eq!(parameters["port"], Value::String("/tmp/b".into()));
        assert_eq!(parameters["rate"], Value::Integer(5));
        assert_eq!(parameters.len(), 2);
    }

    #[test]
    fn a_later_file_counts_over_an_earlier_one_whatever_its_blocks_are_called() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let first = file("first", "hardware_node: {ros__parameters: {port: /dev/ttyACM0, baud: 1}}");
        let second = file("second", "/**: {ros__parameters: {port: /tmp/arm}}");
        let arguments = ["--params-file".to_owned(), first, "--params-file".to_owned(), second];
        let parameters = of_command_line(&arguments, "/left/hardware_node").unwrap();
        assert_eq!(parameters["port"], Value::String("/tmp/arm".into()));
        assert_eq!(parameters["baud"], Value::Integer(1));
    }

    #[test]
    fn a_block_means_a_node_by_name_full_name_or_wildcard() {
        for meant in ["/**", "**", "node", "/left/node", "/*/node", "/**/node", "/left/*"] {
            assert!(is_meant(meant, "/left/node"), "{meant}");
        }
        for other in ["/node", "/right/node", "other", "/*", "/left/node/x", ""] {
            assert!(!is_meant(other, "/left/node"), "{other}");
        }
    }

    #[test]
    fn without_a_node_there_is_what_all_nodes_share() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("arm.yaml");
        let text = "/**: {ros__parameters: {joints: [a, b]}}\narm: {ros__parameters: {joints: [b]}}\n\
                    /*: {ros__parameters: {joints: [c]}}";
        std::fs::write(&path, text).unwrap();
        let joints = |node| read(&path, node).unwrap()["joints"].to_string();
        assert_eq!(joints(""), "[\"a\", \"b\"]");
        assert_eq!(joints("/left/arm"), "[\"b\"]");
        let arguments = ["-p", "rate:=1", "-p", "arm:rate:=2"].map(str::to_owned);
        assert_eq!(of_command_line(&arguments, "").unwrap()["rate"], Value::Integer(1));
    }

    #[test]
    fn what_is_no_parameter_file_is_told_so() {
        assert!(parse("3").unwrap_err().contains("node names"));
        assert!(parse("/**: {rate: 1}").unwrap_err().contains("ros__parameters"));
        assert!(parse("/**: {ros__parameters: {a: [1, x]}}").unwrap_err().contains("`a`"));
        assert!(parse("/**: {ros__parameters: {a: null}}").unwrap_err().contains("`a`"));
    }
}
