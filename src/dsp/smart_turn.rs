//! Smart Turn v3 (BSD), run by ONNX Runtime: whether a turn is over, by its sound.
//!
//! ```text
//! input_features [1, 80, 800] f32 -- the last 8 s as log-mel features -- model --> [1, 1] f32
//! ```
//!
//! The features are [`LogMel`]'s, the turn at their end. The one output is the probability that the turn is
//! over: the published models have the sigmoid inside, although the output's name in them says `logits`, so
//! its name is not asked for and its value is taken as it is; one that is no probability is a failure.
//! They were trained on turns that end in about 200 ms of silence.
//!
//! A run takes 10 to 100 ms, far too long for a call's loop: [`SmartTurn::judge`] is for other threads.

use std::path::Path;

use ort::inputs;
use ort::session::Session;
use ort::value::{TensorElementType, TensorRef};

use crate::dsp::mel::{BANDS, LogMel, WINDOWS};
use crate::dsp::onnx::{self, Expected, Kind, ModelError, Signature};

const KIND: Kind = Kind {
    role: "turn model",
    name: "Smart Turn v3",
    advice: "`model` of `turn.endpoint` names an ONNX file of pipecat-ai/smart-turn-v3",
};
const SHAPE: [usize; 3] = [1, BANDS, WINDOWS];
const SIGNATURE: Signature = Signature {
    inputs: &[Expected {
        name: Some("input_features"),
        element: TensorElementType::Float32,
        shape: &[1, BANDS as i64, WINDOWS as i64],
        shown: "an input `input_features` [1, 80, 800] f32",
    }],
    inputs_shown: "one input, `input_features` [1, 80, 800] f32",
    outputs: &[Expected {
        name: None,
        element: TensorElementType::Float32,
        shape: &[1, 1],
        shown: "an output [1, 1] f32",
    }],
};

/// The model and the memory of one thread that runs it.
#[derive(Debug)]
pub struct SmartTurn {
    session: Session,
    features: LogMel,
}

impl SmartTurn {
    /// Loads the runtime and the model, and runs it once.
    pub fn load(onnxruntime: &Path, model: &Path) -> Result<Self, ModelError> {
        let environment = onnx::environment(onnxruntime)?;
        let session = onnx::open(&environment, KIND, model, &SIGNATURE)?;
        let mut loaded = Self { session, features: LogMel::new() };
        loaded.judge(&[]).map_err(|message| {
            let path = model.to_owned();
            ModelError::Model { kind: KIND, path, message }
        })?;
        Ok(loaded)
    }

    /// The probability, 0 to 1, that the turn is over which ends with `pcm`: signed 16 bit at 16 kHz, of
    /// which the last 8 s count. Or why there is none.
    pub fn judge(&mut self, pcm: &[i16]) -> Result<f32, String> {
        let features = self.features.step(pcm);
        let probability = infer(&mut self.session, features).map_err(|error| error.to_string())?;
        if (0.0..=1.0).contains(&probability) {
            Ok(probability)
        } else {
            Err(format!("it answered {probability}, which is no probability"))
        }
    }
}

fn infer(session: &mut Session, features: &[f32]) -> ort::Result<f32> {
    let outputs = session.run(inputs![
        "input_features" => TensorRef::from_array_view((SHAPE, features))?,
    ])?;
    let (_, numbers) = outputs[0].try_extract_tensor::<f32>()?;
    // The shape was checked when the model was loaded, except for what is dynamic in it.
    match numbers {
        [probability] => Ok(*probability),
        _ => Err(ort::Error::new(format!("it answered {} numbers instead of one", numbers.len()))),
    }
}

#[cfg(test)]
mod tests;
