//! What characters are, as far as a voice and a cut care: a small part of Unicode's tables.

/// Whether `c` ends a sentence in its script. The full stop `.` does so too, but not always.
pub(super) const fn ends_sentence(c: char) -> bool {
    matches!(
        c,
        '!' | '?'
            | '‼' | '⁇' | '⁈' | '⁉'
            // Chinese, Japanese, Korean; full width and half width.
            | '。' | '！' | '？' | '．' | '｡'
            // Arabic and Urdu; Devanagari and its relatives.
            | '؟' | '۔' | '।' | '॥'
            // Armenian, Ethiopic, Myanmar, Khmer.
            | '։' | '።' | '፧' | '။' | '។'
    )
}

/// Whether `c` ends a clause.
pub(super) const fn ends_clause(c: char) -> bool {
    matches!(
        c,
        ',' | ';' | ':' | '，' | '、' | '；' | '：' | '､' | '،' | '؛' | '၊' | '፣' | '፤' | '፥'
    )
}

/// Whether `c` is a dash that separates clauses without blanks around it.
pub(super) const fn is_long_dash(c: char) -> bool {
    matches!(c, '—' | '―')
}

/// Whether `c` closes a bracket or a quotation behind a mark. `“` closes German quotations, but opens those
/// of scripts that have no blank in front.
pub(super) const fn closes(c: char, is_tight: bool) -> bool {
    matches!(c, ')' | ']' | '}' | '"' | '\'' | '”' | '’' | '»' | '›')
        || matches!(c, '」' | '』' | '）' | '】' | '》' | '〉' | '］')
        || c == '“' && !is_tight
}

/// Whether `c` is a syllable or a word by itself: about three letters' worth of speech.
pub(super) const fn is_wide(c: char) -> bool {
    matches!(
        c,
        '\u{3041}'..='\u{30ff}' // Kana.
            | '\u{3100}'..='\u{312f}' // Bopomofo.
            | '\u{3400}'..='\u{9fff}'
            | '\u{ac00}'..='\u{d7a3}' // Hangul.
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}'
    )
}

/// Whether `c` is of Thai or Lao, which have no marks but blanks between their clauses.
pub(super) const fn is_of_spaceless(c: char) -> bool {
    matches!(c, '\u{e01}'..='\u{e3a}' | '\u{e40}'..='\u{e4e}' | '\u{e81}'..='\u{ece}')
}

/// The Thai mark of repetition, which stands behind a blank and belongs to the word before.
pub(super) const THAI_REPETITION: char = '\u{e46}';

/// Whether `c` is a picture. Letters in boxes are not: they may be spelled.
pub(super) fn is_emoji(c: char) -> bool {
    let is_picture = matches!(
        c,
        '\u{231a}'..='\u{231b}'
            | '\u{23e9}'..='\u{23fa}'
            | '\u{25aa}'..='\u{25ab}'
            | '\u{25fb}'..='\u{25fe}'
            | '\u{2600}'..='\u{27bf}'
            | '\u{2b05}'..='\u{2b07}'
            | '\u{2b1b}'..='\u{2b1c}'
            | '\u{2b50}'
            | '\u{2b55}'
            | '\u{1f000}'..='\u{1faff}'
    );
    is_picture && !c.is_alphanumeric()
}

/// Whether `c` only says how another character looks, or is no sign at all.
pub(super) const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{feff}' | '\u{20e3}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e01ef}'
    )
}

/// Joins two characters into one sign.
pub(super) const JOINER: char = '\u{200d}';

/// Whether `c` adds to the character before: accents, vowel signs, joiners.
pub(super) const fn is_combining(c: char) -> bool {
    // The blocks of India's scripts are laid out alike.
    if matches!(c, '\u{900}'..='\u{d7f}') {
        return matches!((c as u32) % 0x80, 0..=3 | 0x3a..=0x3c | 0x3e..=0x4d | 0x51..=0x57 | 0x62..=0x63);
    }
    matches!(
        c,
        '\u{300}'..='\u{36f}'
            | '\u{483}'..='\u{489}'
            | '\u{591}'..='\u{5bd}'
            | '\u{5bf}'
            | '\u{5c1}'..='\u{5c7}'
            | '\u{610}'..='\u{61a}'
            | '\u{64b}'..='\u{65f}'
            | '\u{670}'
            | '\u{6d6}'..='\u{6dc}'
            | '\u{6df}'..='\u{6e4}'
            | '\u{6e7}'..='\u{6ed}'
            | '\u{730}'..='\u{74a}'
            | '\u{7a6}'..='\u{7b0}'
            | '\u{8d3}'..='\u{8ff}'
            | '\u{dca}'..='\u{ddf}'
            | '\u{e31}'
            | '\u{e33}'..='\u{e3a}'
            | '\u{e47}'..='\u{e4e}'
            | '\u{eb1}'
            | '\u{eb3}'..='\u{ebc}'
            | '\u{ec8}'..='\u{ece}'
            | '\u{f71}'..='\u{f84}'
            | '\u{f8d}'..='\u{fbc}'
            | '\u{102b}'..='\u{103e}'
            | '\u{1056}'..='\u{1059}'
            // Hangul's later letters, where it is spelled out.
            | '\u{1160}'..='\u{11ff}'
            | '\u{17b4}'..='\u{17d3}'
            | '\u{180b}'..='\u{180d}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{200c}'..='\u{200d}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{302a}'..='\u{302f}'
            | '\u{3099}'..='\u{309a}'
            | '\u{a8e0}'..='\u{a8f1}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{fe20}'..='\u{fe2f}'
            | '\u{ff9e}'..='\u{ff9f}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

/// Whether a cut between two characters would tear a sign apart.
pub(super) const fn are_joined(before: char, next: char) -> bool {
    let joins_next = before == JOINER
        // Thai's and Lao's vowels that stand in front of their consonant.
        || matches!(before, '\u{e40}'..='\u{e44}' | '\u{ec0}'..='\u{ec4}')
        // What makes one sign of two consonants.
        || matches!(before, '\u{900}'..='\u{d7f}' if (before as u32) % 0x80 == 0x4d)
        || matches!(before, '\u{dca}' | '\u{1039}' | '\u{17d2}');
    joins_next || is_combining(next)
}
