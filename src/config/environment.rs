//! The process environment, read once at start.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The variables that were set when the process began; tests make their own.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        let pairs = std::env::vars_os();
        Self(
            pairs
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
        )
    }

    /// An environment of these variables only.
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    /// The value of a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// What to say of a variable that is not set. What cannot be a variable's name may be the secret itself,
    /// and is not repeated.
    pub(super) fn absence(name: &str) -> String {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.len() <= 64
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(is_name)
        {
            format!("the environment variable `{name}` is not set")
        } else {
            "expected the name of the environment variable that holds it, such as API_KEY, not the value"
                .to_owned()
        }
    }
}

/// Where the ONNX runtime and the model lie: as told, else `.runtime` in this folder or in the
/// checkout that the binary was built in, else where the container image has them.
pub(super) fn runtime_dir(told: Option<&str>) -> PathBuf {
    if let Some(told) = told {
        return PathBuf::from(told);
    }
    let checkout = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.parent()?.parent()?.join(".runtime")));
    let candidates =
        [Some(PathBuf::from(".runtime")), checkout, Some(PathBuf::from("/usr/share/antiphon"))];
    let has_model = |dir: &PathBuf| dir.join("silero_vad.onnx").is_file();
    candidates
        .into_iter()
        .flatten()
        .find(has_model)
        .unwrap_or_else(|| Path::new(".runtime").to_owned())
}
