//! Text as HTML, in ASCII: what is written can be read by a client in any encoding, and kept in a file of any. Pure.

use std::fmt::Write;

/// Appends text as HTML that shows that text, between tags and in a quoted attribute alike. What cannot be seen, or turns the
/// direction of what stands beside it, is shown as its code.
pub fn escape(out: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' | ' '..='~' => out.push(char),
            _ if is_hidden(char) => {
                let _ = write!(out, "\\u{:04x}", char as u32);
            }
            _ => {
                let _ = write!(out, "&#{};", char as u32);
            }
        }
    }
}

pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape(&mut out, text);
    out
}

/// Control characters, what changes the direction of text, what has no width, and what is no character.
pub fn is_hidden(char: char) -> bool {
    matches!(char,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e0fff}')
        || char as u32 & 0xfffe == 0xfffe
}

/// As much of a text as takes so many bytes as HTML; whether that is not all of it.
pub fn cut(text: &str, most: usize) -> (&str, bool) {
    let mut bytes = 0;
    for (at, char) in text.char_indices() {
        bytes += match char {
            '&' | '<' | '>' | '"' | '\'' => 5,
            '\n' | '\t' | ' '..='~' => 1,
            '\u{10000}'.. => 10,
            _ => 8,
        };
        if bytes > most {
            return (&text[..at], true);
        }
    }
    (text, false)
}

/// Where two texts begin to differ, and where each one ends to: the longest common beginning and end are left out.
pub fn difference<'a>(before: &str, after: &'a str) -> [&'a str; 3] {
    let start: usize =
        before.chars().zip(after.chars()).take_while(|(a, b)| a == b).map(|(char, _)| char.len_utf8()).sum();
    let (before, rest) = (&before[start..], &after[start..]);
    let end: usize =
        before.chars().rev().zip(rest.chars().rev()).take_while(|(a, b)| a == b).map(|(char, _)| char.len_utf8()).sum();
    let end = after.len() - end;
    [&after[..start], &after[start..end], &after[end..]]
}
