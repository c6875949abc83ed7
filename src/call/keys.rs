//! Telephone keys, collected into one turn of the user: what is dialled is one thing said.

use crate::limits::KEYS_MAX;

/// The keys pressed since the last turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    pressed: String,
}

impl Keys {
    /// Takes one key in. Returns whether the input is complete: by `#`, or because there is no room
    /// for another. What is not a telephone key is ignored.
    pub(super) fn push(&mut self, key: char) -> bool {
        let key = key.to_ascii_uppercase();
        if !matches!(key, '0'..='9' | '*' | '#' | 'A'..='D') {
            return false;
        }
        self.pressed.push(key);
        key == '#' || self.pressed.len() == KEYS_MAX
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.pressed.is_empty()
    }

    /// What was dialled, as the user's words. The `#` that completed it stays: it may be all there is.
    pub(super) fn take(&mut self) -> Option<String> {
        (!self.pressed.is_empty()).then(|| std::mem::take(&mut self.pressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_complete_with_a_hash_or_when_full() {
        let mut keys = Keys::default();
        assert!(!keys.push('1'));
        assert!(!keys.push('x'));
        assert!(!keys.push('a'));
        assert!(keys.push('#'));
        assert_eq!(keys.take().as_deref(), Some("1A#"));
        assert_eq!(keys.take(), None);
        let full = (0..KEYS_MAX).map(|_| keys.push('7')).filter(|complete| *complete).count();
        assert_eq!(full, 1);
    }
}
