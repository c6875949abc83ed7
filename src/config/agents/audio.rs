//! `echo_cancellation`, `noise_suppression` and `jitter`: what becomes of the user's audio.

use crate::media::uplink::{EchoMode, NoiseSuppression, UplinkSettings};
use crate::yaml::Fields;

pub(super) fn uplink(fields: &mut Fields<'_, '_>, uplink: &mut UplinkSettings) {
    let modes = [("auto", EchoMode::Auto), ("on", EchoMode::On), ("off", EchoMode::Off)];
    uplink.echo = fields.choice("echo_cancellation", &modes, uplink.echo);
    let modes = [
        ("off", NoiseSuppression::Off),
        ("light", NoiseSuppression::Light),
        ("rnnoise", NoiseSuppression::Rnnoise),
        ("auto", NoiseSuppression::Auto),
    ];
    uplink.noise = fields.choice("noise_suppression", &modes, uplink.noise);
    let Some(mut jitter) = fields.fields("jitter", &["depth_min_ms", "depth_max_ms", "quantile"])
    else {
        return;
    };
    let settings = &mut uplink.jitter;
    settings.depth_min = jitter.duration_ms("depth_min_ms", 20..=400, settings.depth_min);
    settings.depth_max = jitter.duration_ms("depth_max_ms", 20..=400, settings.depth_max);
    settings.quantile = jitter.f32_in("quantile", 0.5..=1.0, settings.quantile);
    if settings.depth_max < settings.depth_min {
        jitter.refuse("depth_max_ms", "expected at least depth_min_ms");
    }
}
