//! Why a body is no use, and what to set.

use std::fmt;

use crate::limits::{
    REPLY_RATES_HZ, SPEECH_CHANNELS_MAX, SPEECH_HEADER_BYTES_MAX, SPEECH_SECONDS_MAX,
};

/// What came in place of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// MPEG audio, with or without ID3 tags.
    Mp3,
    /// AAC in ADTS frames.
    Aac,
    /// Ogg, most likely with Opus in it.
    Ogg,
    /// FLAC.
    Flac,
    /// MP4, such as AAC in an `.m4a`.
    Mp4,
    /// WebM, or other Matroska.
    WebM,
    /// JSON.
    Json,
    /// HTML or XML.
    Markup,
    /// Server-sent events.
    EventStream,
    /// Other text.
    Text,
}

/// Why a body is no use. It holds nothing of what the server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpeechBodyError {
    /// Another format, or no audio at all.
    #[error("the speech server sent {0} where samples or WAV are needed; {advice}", advice = .0.advice())]
    NotSamples(Came),
    /// Its rate, or the configured one where it told none, is not one of [`REPLY_RATES_HZ`].
    #[error(
        "the speech is at {rate_hz} Hz, which is none of {REPLY_RATES_HZ:?}; set a voice or a sample rate \
         that is"
    )]
    UnsupportedRate {
        /// In Hz.
        rate_hz: u32,
    },
    /// A header in the middle tells another rate than the audio before it had.
    #[error(
        "the speech changes from {from_hz} to {to_hz} Hz in the middle; set one rate at its server"
    )]
    RateChanged {
        /// Before it, in Hz.
        from_hz: u32,
        /// From it on, in Hz.
        to_hz: u32,
    },
    /// A WAV file of samples that are not read.
    #[error(
        "the speech is WAV of format {tag} with {channels} channels of {bits} bits; integer samples of 8, \
         16, 24 or 32 bits or floats of 32 are read, of up to {SPEECH_CHANNELS_MAX} channels: set \
         `response_format: pcm`"
    )]
    UnsupportedWav {
        /// The format's number: 1 is integers, 3 floats, 6 A-law, 7 µ-law.
        tag: u16,
        /// Channels.
        channels: u16,
        /// Bits of one sample.
        bits: u16,
    },
    /// A WAV header that cannot be read.
    #[error("the speech's WAV header cannot be read: {0}; set `response_format: pcm`")]
    BadHeader(BadHeader),
    /// More audio than [`SPEECH_SECONDS_MAX`].
    #[error(
        "the speech of one phrase has more than {SPEECH_SECONDS_MAX} s; the server does not end it"
    )]
    TooLong,
    /// The body ended without a sample.
    #[error("the speech server sent no sample in {bytes} bytes; see its log for this request")]
    NoAudio {
        /// Bytes of the body, such as those of a header.
        bytes: u64,
    },
}

/// What is wrong with a WAV header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHeader {
    /// There is audio before it is said of what format.
    NoFormat,
    /// The format takes less than 16 bytes.
    ShortFormat,
    /// Headers and foreign chunks take more than [`SPEECH_HEADER_BYTES_MAX`], or say that they will.
    TooLong,
}

impl Came {
    const fn advice(self) -> &'static str {
        match self {
            Self::Mp3 | Self::Aac | Self::Ogg | Self::Flac | Self::Mp4 | Self::WebM => {
                "set `response_format: pcm`, or `wav` where the server has no pcm"
            }
            Self::Json | Self::Markup | Self::Text => {
                "check the stage's URL, key, model and voice, then set `response_format: pcm`"
            }
            Self::EventStream => "set `stream_format: audio` and `response_format: pcm`",
        }
    }
}

impl fmt::Display for Came {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Mp3 => "MP3",
            Self::Aac => "AAC",
            Self::Ogg => "Ogg",
            Self::Flac => "FLAC",
            Self::Mp4 => "MP4",
            Self::WebM => "WebM",
            Self::Json => "JSON",
            Self::Markup => "HTML or XML",
            Self::EventStream => "server-sent events",
            Self::Text => "text",
        })
    }
}

impl fmt::Display for BadHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFormat => formatter.write_str("its `data` comes before its `fmt `"),
            Self::ShortFormat => formatter.write_str("its `fmt ` has less than 16 bytes"),
            Self::TooLong => {
                write!(formatter, "it takes more than {SPEECH_HEADER_BYTES_MAX} bytes")
            }
        }
    }
}
