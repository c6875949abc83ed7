use antiphon::dsp::resample::Resampler;
use antiphon::media::codec::Codec;
use antiphon::media::opus::OpusCodec;

use super::*;
use crate::random::Random;

fn words(numbers: &[u16]) -> Vec<Word> {
    numbers.iter().map(|number| Word::number(*number).expect("a number of the language")).collect()
}

fn heard(pcm: &[i16], rate_hz: u32, block: usize) -> Vec<Spotted> {
    let mut decoder = Decoder::new(rate_hz);
    let mut words = Vec::new();
    for block in pcm.chunks(block) {
        decoder.push(block, &mut words);
    }
    words
}

fn understood(pcm: &[i16], rate_hz: u32) -> Vec<Word> {
    heard(pcm, rate_hz, 320).into_iter().map(|spotted| spotted.word).collect()
}

#[test]
fn every_code_can_be_written_and_read() {
    for code in (0..NUMBERS_END + VOCABULARY.len() as u16).step_by(13) {
        let word = Word::from_code(code).expect("a code of the language");
        assert_eq!(understood(&encode(&[word], 16_000), 16_000), [word], "{word}");
    }
}

#[test]
fn words_are_found_at_any_rate_offset_and_block_size() {
    let said = words(&[0, 1, 15, 16, 4095, 4096, 9999, 1234]);
    for rate_hz in [8_000, 16_000, 24_000, 48_000] {
        for (offset, block) in [(0, 160), (1, 333), (77, 7), (1_003, 2_000)] {
            let mut pcm = vec![0; offset];
            pcm.extend(encode(&said, rate_hz));
            let spotted = heard(&pcm, rate_hz, block);
            let found: Vec<Word> = spotted.iter().map(|spotted| spotted.word).collect();
            assert_eq!(found, said, "{rate_hz} Hz, {offset} samples later");
            for (index, spotted) in spotted.iter().enumerate() {
                let start = offset as u64 + index as u64 * u64::from(WORD_MS * rate_hz / 1_000);
                let off_ms = spotted.start.abs_diff(start) * 1_000 / u64::from(rate_hz);
                assert!(off_ms <= 5, "word {index} is {off_ms} ms off");
                let length = (spotted.end - spotted.start) * 1_000 / u64::from(rate_hz);
                assert_eq!(length, u64::from(WORD_MS - PAUSE_MS));
            }
        }
    }
}

#[test]
fn words_survive_noise_fades_and_resampling() {
    let said = words(&[7, 77, 777, 7_777, 8_080, 9_001]);
    let mut up = Resampler::new(16_000, 48_000).expect("lawful rates");
    let mut down = Resampler::new(48_000, 24_000).expect("lawful rates");
    let said_pcm: Vec<f32> = encode(&said, 16_000).into_iter().map(f32::from).collect();
    let (mut between, mut arrived) = (Vec::new(), Vec::new());
    up.step(&said_pcm, &mut between);
    down.step(&between, &mut arrived);
    let mut random = Random::new(3);
    let length = arrived.len() as f32;
    let mut pcm = Vec::new();
    for (index, sample) in arrived.into_iter().enumerate() {
        // From full level down by 20 dB, in noise that ends 3 dB below the tones.
        let gain = 10_f32.powf(-(index as f32) / length);
        let noise = random.below(1_400) as f32 - 700.0;
        pcm.push((sample * gain + noise) as i16);
    }
    pcm.resize(pcm.len() + 2_400, 0);
    assert_eq!(understood(&pcm, 24_000), said);
}

/// Through the codec of a call, at its bit rate, and back at 48 kHz.
fn transmitted(pcm: &[i16]) -> Vec<i16> {
    let mut codec = OpusCodec::new(48_000).expect("the codec");
    let mut arrived = Vec::new();
    for frame in pcm.chunks_exact(960) {
        let frame: Vec<f32> = frame.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        let (mut payload, mut decoded) = ([0; 1_500], [0.0; 5_760]);
        let bytes = codec.encode(&frame, &mut payload).expect("a frame of 20 ms");
        let samples = codec.decode(&payload[..bytes], &mut decoded).expect("a packet");
        arrived.extend(decoded[..samples].iter().map(|sample| (sample * 32_768.0) as i16));
    }
    arrived
}

#[test]
fn words_survive_opus_twice() {
    let mut random = Random::new(11);
    let numbers: Vec<u16> = (0..300).map(|_| random.below(10_000) as u16).collect();
    let said = words(&numbers);
    let mut pcm = encode(&said, 48_000);
    pcm.resize(pcm.len() + 9_600, 0);
    assert_eq!(understood(&transmitted(&transmitted(&pcm)), 48_000), said);
}

#[test]
fn damage_is_noticed_and_the_next_word_is_understood() {
    let [first, second] = [5, 6].map(|number| encode(&words(&[number]), 16_000));
    let mut pcm = first;
    // The third symbol is another's.
    let symbol = samples(SYMBOL_MS, 16_000);
    let other = encode(&words(&[0x3000 / 2]), 16_000);
    pcm[2 * symbol..3 * symbol].copy_from_slice(&other[symbol..2 * symbol]);
    pcm.extend(second);
    let mut decoder = Decoder::new(16_000);
    let mut found = Vec::new();
    decoder.push(&pcm, &mut found);
    assert_eq!(found.iter().map(|spotted| spotted.word).collect::<Vec<_>>(), words(&[6]));
    assert!(decoder.words_damaged() >= 1);
}

#[test]
fn a_word_that_breaks_off_does_not_hide_the_next() {
    for ms in (20..340).step_by(10) {
        let [mut pcm, whole] = [1_451, 6_922].map(|number| encode(&words(&[number]), 16_000));
        pcm.truncate(samples(ms, 16_000));
        pcm.extend(whole);
        let found = understood(&pcm, 16_000);
        assert!(found.ends_with(&words(&[6_922])), "broken off after {ms} ms: {found:?}");
    }
}

#[test]
fn noise_silence_and_whistles_are_no_words() {
    let mut random = Random::new(9);
    let noise: Vec<i16> = (0..160_000).map(|_| random.below(20_000) as i16 - 10_000).collect();
    assert_eq!(understood(&noise, 16_000), []);
    assert_eq!(understood(&vec![0; 32_000], 16_000), []);
    let whistle = |n: usize| (8_000.0 * (TAU * START_HZ * n as f32 / 16_000.0).sin()) as i16;
    let pcm: Vec<i16> = (0..32_000).map(whistle).collect();
    assert_eq!(understood(&pcm, 16_000), []);
}

#[test]
fn texts_hold_words() {
    let found = Word::all_in("Order 17, please: get-STATUS of 99999 and 3.");
    let expected = ["order", "17", "please", "get", "status", "3"];
    assert_eq!(found.iter().map(Word::to_string).collect::<Vec<_>>(), expected);
    assert_eq!(Word::text_of(&words(&[1, 22])), "1 22");
    assert_eq!(Word::number(10_000), None);
}
