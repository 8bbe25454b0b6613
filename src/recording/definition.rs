//! What a message type looks like: its definition and those of the types in it, in rosbag2's encoding `ros2msg`.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// A definition that explains itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The type: `sensor_msgs/msg/JointState`.
    pub type_name: String,
    /// Its `.msg` text, and behind it those of the types in it, each after a line of `=` and one with its name.
    pub text: String,
    /// The hash by which ROS tells types of one name apart, where the package says it (RIHS01…; empty before Iron).
    pub hash: String,
}

/// Why there is no definition.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// It is no name of a message type.
    #[error("`{0}` is no message type; one is called PACKAGE/msg/NAME")]
    Name(String),
    /// No package has it.
    #[error("message type `{type_name}`: no prefix in AMENT_PREFIX_PATH has the file {file}", file = file.display())]
    NotInstalled {
        /// The type.
        type_name: String,
        /// What was looked for.
        file: PathBuf,
    },
    /// The file cannot be read.
    #[error("message type `{type_name}`: cannot read {file}: {cause}", file = file.display())]
    Read {
        /// The type.
        type_name: String,
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        cause: std::io::Error,
    },
}

const PRIMITIVES: [&str; 16] = [
    "bool", "byte", "char", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32",
    "int64", "uint64", "string", "wstring", "time",
];
const SEPARATOR: &str = "================================================================================";

impl Definition {
    /// Reads what the packages in `prefixes` say, in the form of AMENT_PREFIX_PATH.
    ///
    /// # Errors
    /// Where a type is not installed.
    pub fn installed(type_name: &str, prefixes: &str) -> Result<Self, DefinitionError> {
        let prefixes: Vec<&Path> =
            prefixes.split(':').filter(|prefix| !prefix.is_empty()).map(Path::new).collect();
        let first = TypeName::parse(type_name)?;
        let mut text = String::new();
        let mut hash = String::new();
        let (mut known, mut open) = (vec![first.clone()], VecDeque::from([first]));
        while let Some(name) = open.pop_front() {
            let file = name.find(&prefixes)?;
            let own = std::fs::read_to_string(&file).map_err(|cause| DefinitionError::Read {
                type_name: name.full(),
                file: file.clone(),
                cause,
            })?;
            if text.is_empty() {
                hash = type_hash(&file.with_extension("json"), type_name).unwrap_or_default();
            } else {
                text.push_str(&format!("{SEPARATOR}\nMSG: {}/{}\n", name.package, name.name));
            }
            text.push_str(own.trim_end());
            text.push('\n');
            for needed in own.lines().filter_map(|line| name.named_in(line)) {
                if !known.contains(&needed) {
                    known.push(needed.clone());
                    open.push_back(needed);
                }
            }
        }
        Ok(Self { type_name: type_name.to_owned(), text, hash })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct TypeName {
    package: String,
    name: String,
}

impl TypeName {
    fn parse(text: &str) -> Result<Self, DefinitionError> {
        let is_word =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match text.split('/').collect::<Vec<_>>()[..] {
            [package, "msg", name] | [package, name] if is_word(package) && is_word(name) => {
                Ok(Self { package: package.to_owned(), name: name.to_owned() })
            }
            _ => Err(DefinitionError::Name(text.to_owned())),
        }
    }

    fn full(&self) -> String {
        format!("{}/msg/{}", self.package, self.name)
    }

    fn find(&self, prefixes: &[&Path]) -> Result<PathBuf, DefinitionError> {
        let file: PathBuf = ["share", &self.package, "msg", &format!("{}.msg", self.name)].iter().collect();
        let found = prefixes.iter().map(|prefix| prefix.join(&file)).find(|path| path.is_file());
        found.ok_or_else(|| DefinitionError::NotInstalled { type_name: self.full(), file })
    }

    /// The type of another message that a line of this one's definition names.
    fn named_in(&self, line: &str) -> Option<Self> {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let (kind, _field) = (words.next()?, words.next()?);
        let kind = kind.split(['[', '<']).next().unwrap_or_default();
        if PRIMITIVES.contains(&kind) {
            return None;
        }
        if kind.contains('/') { Self::parse(kind) } else { Self::parse(&format!("{}/{kind}", self.package)) }
            .ok()
    }
}

fn type_hash(file: &Path, type_name: &str) -> Option<String> {
    let description: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
    let hashes = description.get("type_hashes")?.as_array()?;
    let own =
        hashes.iter().find(|hash| hash.get("type_name").and_then(|name| name.as_str()) == Some(type_name));
    Some(own?.get("hash_string")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(files: &[(&str, &str)]) -> tempfile::TempDir {
        let prefix = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = prefix.path().join("share").join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        prefix
    }

    #[test]
    fn a_definition_has_those_of_all_types_in_it_behind_it_each_once() {
        let prefix = packages(&[
            (
                "a/msg/Outer.msg",
                "# Something/Else\nb/Inner[] inner # c/NotThis x\nOwn own\nstring<=5[<=3] names\nint8 A=1\n",
            ),
            ("a/msg/Own.msg", "b/msg/Inner[3] more\nfloat64[] values"),
            ("b/msg/Inner.msg", "uint8 LEAST = 0\n\nuint8 level 3\n"),
            (
                "a/msg/Outer.json",
                r#"{"type_hashes": [{"type_name": "a/msg/Own", "hash_string": "1"}, {"type_name": "a/msg/Outer", "hash_string": "RIHS01_2"}]}"#,
            ),
        ]);
        let prefixes = format!("/nowhere:{}", prefix.path().display());
        let definition = Definition::installed("a/msg/Outer", &prefixes).unwrap();
        let parts: Vec<&str> = definition.text.split(&format!("{SEPARATOR}\n")).collect();
        assert_eq!(parts.len(), 3);
        assert!(parts[0].starts_with("# Something/Else\nb/Inner[] inner"));
        assert!(parts[1].starts_with("MSG: b/Inner\nuint8 LEAST"));
        assert!(parts[2].starts_with("MSG: a/Own\nb/msg/Inner[3] more\nfloat64[] values\n"));
        assert_eq!(definition.hash, "RIHS01_2");
        assert_eq!(Definition::installed("b/msg/Inner", &prefixes).unwrap().hash, "");
    }

    #[test]
    fn a_type_that_is_not_installed_is_named_with_the_file_that_is_missing() {
        let prefix = packages(&[("a/msg/Outer.msg", "b/Inner inner\n")]);
        let error = Definition::installed("a/msg/Outer", &prefix.path().display().to_string()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "message type `b/msg/Inner`: no prefix in AMENT_PREFIX_PATH has the file share/b/msg/Inner.msg"
        );
        for name in ["a", "a/srv/Outer", "a/msg/../x", ""] {
            let error = Definition::installed(name, "").unwrap_err().to_string();
            assert!(error.contains("is no message type"), "{error}");
        }
    }
}
