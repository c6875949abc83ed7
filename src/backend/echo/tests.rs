use super::*;
use crate::backend::tests::{context, ended, finished, read_until};
use crate::call::event::TurnId;
use crate::limits::WIDEBAND_FRAME;

/// Sends frames of these levels and returns what is said back of them.
async fn echo_of(levels: &[i16]) -> Vec<i16> {
    let echo = Echo::new(EchoSettings::STANDARD).expect("the standard settings are right");
    let mut session = echo.open(context()).expect("there is room");
    let frames = levels.iter().map(|level| BackendInput::Audio(PcmFrame([*level; WIDEBAND_FRAME])));
    for input in frames.chain([ended(1)]) {
        session.input.send(input).await.expect("the session lives");
    }
    let (audio, _) = read_until(&mut session, finished(1)).await;
    audio.iter().map(|block| block.pcm[0]).collect()
}

#[tokio::test]
async fn the_voice_is_said_back_without_the_silence_around_it() {
    let rows: [(&[i16], &[i16]); 5] = [
        (&[], &[]),
        (&[0, 3, 0], &[]),
        (&[9_000], &[9_000]),
        (&[0, 1, 9_000, 0, 0, -9_000, 2, 0], &[9_000, 0, 0, -9_000]),
        (&[i16::MIN, 0], &[i16::MIN]),
    ];
    for (heard, said) in rows {
        assert_eq!(echo_of(heard).await, said, "heard {heard:?}");
    }
}

#[tokio::test]
async fn a_turn_too_long_to_remember_is_said_back_from_its_beginning() {
    let levels: Vec<i16> = (0..ECHO_FRAMES_MAX + 50).map(|n| 5_000 + n as i16).collect();
    assert_eq!(echo_of(&levels).await, levels[..ECHO_FRAMES_MAX]);
}

#[test]
fn a_dismissed_turn_is_forgotten_and_typed_text_is_written_back() {
    let mut memory = Memory::new(&EchoSettings::STANDARD);
    let (turn, generation) = (TurnId(1), Generation(1));
    let command = |command| BackendInput::Command(command);
    memory.handle_input(SessionTime::ZERO, BackendInput::Audio(PcmFrame([9_000; WIDEBAND_FRAME])));
    memory.handle_input(SessionTime::ZERO, command(BackendCommand::UserTurnDismissed { turn }));
    let text = "hello".to_owned();
    let typed = BackendCommand::UserText { turn, generation, text: text.clone() };
    memory.handle_input(SessionTime::ZERO, command(typed));
    let said: Vec<_> = std::iter::from_fn(|| memory.poll_output(SessionTime::ZERO)).collect();
    let expected = [
        BackendEvent::Ready,
        BackendEvent::ReplyStarted { generation },
        BackendEvent::ReplyText { generation, text },
        BackendEvent::ReplyFinished { generation },
    ];
    assert_eq!(said, expected.map(BackendOutput::Event));
}

#[test]
fn a_level_out_of_range_is_refused() {
    assert!(Echo::new(EchoSettings { silence_dbfs: 3.0 }).is_err());
    assert!(Echo::new(EchoSettings { silence_dbfs: f32::NAN }).is_err());
}
