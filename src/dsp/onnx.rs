//! Models in ONNX files, run by ONNX Runtime: a shared library that is loaded once for the process.
//!
//! A file is believed only after its inputs and outputs were compared with what the code passes and
//! reads: a model of another kind would run, and answer nonsense.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Outlet, TensorElementType, ValueType};

/// A kind of model, as errors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// What it is to us: "voice model".
    pub role: &'static str,
    /// What it should be: "Silero VAD v6 at 16 kHz".
    pub name: &'static str,
    /// Where the right file comes from.
    pub advice: &'static str,
}

/// Why a model could not be loaded.
#[derive(Debug)]
pub enum ModelError {
    /// The runtime's library is not there.
    NoRuntime { path: PathBuf },
    /// The library is there, but is not one that can be used.
    Runtime { path: PathBuf, message: String },
    /// The model's file is not there.
    Missing { kind: Kind, path: PathBuf },
    /// The file is there, but is not a model that the runtime can use.
    Model { kind: Kind, path: PathBuf, message: String },
    /// The model has other inputs or outputs than it should have.
    Signature { kind: Kind, path: PathBuf, expected: &'static str, found: String },
}

impl fmt::Display for ModelError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRuntime { path } => write!(
                formatter,
                "the ONNX Runtime library (libonnxruntime.so) is missing at {}; `./run --setup` gets it",
                path.display()
            ),
            Self::Runtime { path, message } => write!(
                formatter,
                "{} is not a usable ONNX Runtime library ({message}); `./run --setup` gets the right one",
                path.display()
            ),
            Self::Missing { kind: Kind { role, name, advice }, path } => {
                write!(formatter, "the {role} ({name}) is missing at {}; {advice}", path.display())
            }
            Self::Model { kind: Kind { role, advice, .. }, path, message } => {
                write!(formatter, "{} is not a usable {role} ({message}); {advice}", path.display())
            }
            Self::Signature { kind: Kind { name, advice, .. }, path, expected, found } => write!(
                formatter,
                "{} is not {name}: it should have {expected}, and has {found}; {advice}",
                path.display()
            ),
        }
    }
}

impl std::error::Error for ModelError {}

/// One input or output: its name, or `None` for whatever the file calls it; its numbers; its shape, in
/// which -1 of the file is any size; and how an error says so.
pub(super) struct Expected {
    pub(super) name: Option<&'static str>,
    pub(super) element: TensorElementType,
    pub(super) shape: &'static [i64],
    pub(super) shown: &'static str,
}

/// What a model takes and gives.
pub(super) struct Signature {
    pub(super) inputs: &'static [Expected],
    /// How an error says how many inputs there are.
    pub(super) inputs_shown: &'static str,
    pub(super) outputs: &'static [Expected],
}

/// The runtime's environment, of which it allows one for each process. A second path must exist, but is
/// not loaded.
pub(super) fn environment(library: &Path) -> Result<Environment, ModelError> {
    static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);
    if !library.is_file() {
        return Err(ModelError::NoRuntime { path: library.to_owned() });
    }
    let mut environment = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = environment.as_ref() {
        return Ok(environment.clone());
    }
    let unusable = |message: String| ModelError::Runtime { path: library.to_owned(), message };
    // A relative path would be looked for beside the executable first.
    let library = library.canonicalize().map_err(|error| unusable(error.to_string()))?;
    let builder = ort::init_from(library).map_err(|error| unusable(error.to_string()))?;
    let created =
        builder.with_telemetry(false).build().map_err(|error| unusable(error.to_string()))?;
    Ok(environment.insert(created).clone())
}

/// A session on the calling thread alone, of a model with this signature.
pub(super) fn open(
    environment: &Environment,
    kind: Kind,
    path: &Path,
    signature: &Signature,
) -> Result<Session, ModelError> {
    if !path.is_file() {
        return Err(ModelError::Missing { kind, path: path.to_owned() });
    }
    let session = build(environment, path).map_err(|message| ModelError::Model {
        kind,
        path: path.to_owned(),
        message,
    })?;
    check(&session, signature).map_err(|(expected, found)| ModelError::Signature {
        kind,
        path: path.to_owned(),
        expected,
        found,
    })?;
    Ok(session)
}

#[expect(
    clippy::result_large_err,
    reason = "the builder's error hands the builder back; once per load"
)]
fn build(environment: &Environment, path: &Path) -> Result<Session, String> {
    let builder = Session::builder(environment).map_err(|error| error.to_string())?;
    builder
        .with_intra_threads(1)
        .and_then(|builder| builder.with_inter_threads(1))
        .and_then(|builder| builder.with_intra_op_spinning(false))
        .and_then(|builder| builder.with_inter_op_spinning(false))
        .and_then(|builder| builder.with_optimization_level(GraphOptimizationLevel::Level3))
        .map_err(|error| error.to_string())?
        .commit_from_file(path)
        .map_err(|error| error.to_string())
}

fn check(session: &Session, signature: &Signature) -> Result<(), (&'static str, String)> {
    if session.inputs().len() != signature.inputs.len() {
        return Err((signature.inputs_shown, describe(session.inputs())));
    }
    let inputs = signature.inputs.iter().map(|expected| (expected, session.inputs()));
    let outputs = signature.outputs.iter().map(|expected| (expected, session.outputs()));
    for (expected, outlets) in inputs.chain(outputs) {
        if !outlets.iter().any(|outlet| expected.fits(outlet)) {
            return Err((expected.shown, describe(outlets)));
        }
    }
    Ok(())
}

impl Expected {
    fn fits(&self, outlet: &Outlet) -> bool {
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else { return false };
        let found: &[i64] = shape;
        let sizes_fit = found.iter().zip(self.shape).all(|(has, want)| has == want || *has < 0);
        // An output whose shape was not inferred has no dimensions at all.
        let is_whole = found.len() == self.shape.len() || found.is_empty();
        self.name.is_none_or(|name| outlet.name() == name)
            && *ty == self.element
            && sizes_fit
            && is_whole
    }
}

fn describe(outlets: &[Outlet]) -> String {
    let names: Vec<String> =
        outlets.iter().map(|outlet| format!("`{}` {}", outlet.name(), outlet.dtype())).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
