//! What the user said and typed, in its order.
//!
//! What is typed is known at once, what is spoken only when it is recognised. Nothing is passed on before
//! what came before it is known, so that a model is told it as it was said.

use std::collections::VecDeque;

use crate::call::event::Generation;

/// What the user said and nobody was told yet.
#[derive(Debug, Default)]
pub(super) struct Words(VecDeque<Word>);

#[derive(Debug)]
struct Word {
    /// The reply that was asked for with it.
    generation: Generation,
    /// `None` while it is being recognised.
    text: Option<String>,
}

impl Words {
    /// A turn is over that is being recognised: [`Words::understood`] or [`Words::missed`] follows.
    pub(super) fn expect(&mut self, generation: Generation) {
        self.0.push_back(Word { generation, text: None });
    }

    /// The user typed this.
    pub(super) fn push(&mut self, generation: Generation, text: String) {
        self.0.push_back(Word { generation, text: Some(text) });
    }

    /// A turn is recognised.
    pub(super) fn understood(&mut self, generation: Generation, text: String) {
        match self.awaited(generation) {
            Some(at) => self.0[at].text = Some(text),
            None => self.push(generation, text),
        }
    }

    /// What was said in a turn will never be known.
    pub(super) fn missed(&mut self, generation: Generation) {
        if let Some(at) = self.awaited(generation) {
            self.0.remove(at);
        }
    }

    /// The next that is known, and the reply that was asked for with it.
    pub(super) fn pop(&mut self) -> Option<(Generation, String)> {
        let first = self.0.pop_front_if(|first| first.text.is_some())?;
        first.text.map(|text| (first.generation, text))
    }

    /// Turns and texts that wait.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn awaited(&self, generation: Generation) -> Option<usize> {
        self.0.iter().position(|word| word.generation == generation && word.text.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn popped(words: &mut Words) -> Vec<(u32, String)> {
        std::iter::from_fn(|| words.pop()).map(|(generation, text)| (generation.0, text)).collect()
    }

    #[test]
    fn nothing_overtakes_what_was_said_before_it() {
        let mut words = Words::default();
        words.expect(Generation(1));
        words.push(Generation(2), "typed".to_owned());
        words.expect(Generation(3));
        words.understood(Generation(3), "last".to_owned());
        assert_eq!(popped(&mut words), []);
        words.understood(Generation(1), "first".to_owned());
        let expected = [(1, "first"), (2, "typed"), (3, "last")];
        assert_eq!(popped(&mut words), expected.map(|(n, text)| (n, text.to_owned())));
        assert_eq!(words.len(), 0);
    }

    #[test]
    fn what_was_missed_is_not_waited_for() {
        let mut words = Words::default();
        words.expect(Generation(1));
        words.push(Generation(2), "typed".to_owned());
        words.missed(Generation(1));
        assert_eq!(popped(&mut words), [(2, "typed".to_owned())]);
        // Nobody waits for this.
        words.missed(Generation(1));
        words.understood(Generation(7), "unasked".to_owned());
        assert_eq!(popped(&mut words), [(7, "unasked".to_owned())]);
    }
}
