//! Recordings as wav files.

use std::io::Cursor;
use std::path::Path;

/// A recording: mono, signed 16 bit.
pub(crate) struct Recording {
    pub(crate) sample_rate_hz: u32,
    pub(crate) pcm: Vec<i16>,
}

/// A mono file of 16 bit, for another program: at most some minutes, since its sizes are of 32 bit.
pub(crate) fn write(pcm: &[i16], sample_rate_hz: u32) -> Vec<u8> {
    let (channels, bits_per_sample) = (1, 16);
    let sample_format = hound::SampleFormat::Int;
    let spec =
        hound::WavSpec { channels, sample_rate: sample_rate_hz, bits_per_sample, sample_format };
    let mut file = Cursor::new(Vec::new());
    let written = hound::WavWriter::new(&mut file, spec).and_then(|mut writer| {
        pcm.iter().try_for_each(|sample| writer.write_sample(*sample))?;
        writer.finalize()
    });
    written.expect("memory takes what is written to it");
    file.into_inner()
}

/// Reads a mono file of 16 bit, of at most `samples_max` samples, at one of `rates_hz`. The error says
/// what was expected and what was found.
pub(crate) fn read(path: &Path, rates_hz: &[u32], samples_max: usize) -> Result<Recording, String> {
    let reader = hound::WavReader::open(path).map_err(|error| error.to_string())?;
    let spec = reader.spec();
    let is_int16 = spec.sample_format == hound::SampleFormat::Int && spec.bits_per_sample == 16;
    if !is_int16 || spec.channels != 1 || !rates_hz.contains(&spec.sample_rate) {
        let rates = rates_hz.iter().map(u32::to_string).collect::<Vec<_>>().join(" or ");
        return Err(format!(
            "expected 16 bit, 1 channel, {rates} Hz, received {} bit, {} channels, {} Hz",
            spec.bits_per_sample, spec.channels, spec.sample_rate
        ));
    }
    let count = reader.len() as usize;
    if count > samples_max {
        return Err(format!("expected at most {samples_max} samples, received {count}"));
    }
    let samples: Result<Vec<i16>, _> = reader.into_samples::<i16>().collect();
    let pcm = samples.map_err(|error| error.to_string())?;
    Ok(Recording { sample_rate_hz: spec.sample_rate, pcm })
}
