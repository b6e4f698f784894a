//! Stop strings: a text ends before the first of them, wherever tokens begin and end.

/// Looks for stop strings in a text that comes in pieces. What may yet become one is held back.
#[derive(Debug, Default)]
pub struct Stops {
    strings: Vec<String>,
    held: String,
}

impl Stops {
    /// Stops at any of these; empty ones are left out.
    pub fn new(strings: Vec<String>) -> Self {
        let strings = strings.into_iter().filter(|s| !s.is_empty()).collect();
        Self { strings, held: String::new() }
    }

    /// More text; returns what is certain to stand before any stop string, and whether one was found.
    pub fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        // The one that ends first: so it does not matter how the text was cut.
        let ends = |s: &String| self.held.find(s).map(|at| (at + s.len(), at));
        if let Some((_, at)) = self.strings.iter().filter_map(ends).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let certain = self.held.len() - self.begun();
        let rest = self.held.split_off(certain);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What is held back when the text ends.
    pub fn rest(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Bytes at the end of the held text with which a stop string may begin: the most.
    fn begun(&self) -> usize {
        let begun = |stop: &String| {
            let mut cuts = stop.char_indices().map(|(at, _)| at).rev();
            cuts.find(|&at| self.held.ends_with(&stop[..at])).unwrap_or(0)
        };
        self.strings.iter().map(begun).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text before the stop, piece by piece, and whether it stopped.
    fn cut(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut found = Stops::new(stops.iter().map(|s| s.to_string()).collect());
        let mut text = String::new();
        for piece in pieces {
            let (certain, stopped) = found.push(piece);
            text += &certain;
            if stopped {
                return (text, true);
            }
        }
        (text + &found.rest(), false)
    }

    #[test]
    fn strings_are_found_across_pieces() {
        assert_eq!(cut(&["END"], &["a E", "N", "D b"]), ("a ".into(), true));
        assert_eq!(cut(&["END"], &["a E", "NE", "ND b"]), ("a EN".into(), true));
        assert_eq!(cut(&["END"], &["a E", "N"]), ("a EN".into(), false));
        assert_eq!(cut(&["aab"], &["a", "a", "a", "b"]), ("a".into(), true));
        assert_eq!(cut(&["x", "bc"], &["ab", "cx"]), ("a".into(), true));
        assert_eq!(cut(&["é!"], &["caf", "é", "?"]), ("café?".into(), false));
        assert_eq!(cut(&["", "no"], &["yes"]), ("yes".into(), false));
    }

    /// Against the plain search in the whole text, for every way to cut a few texts.
    #[test]
    fn cuts_do_not_matter() {
        // "baab" begins before "aa", which ends first.
        let (text, stops) = ("abxbaabaaabab", ["baab", "babx", "aa"]);
        for cuts in 0_u32..1 << (text.len() - 1) {
            let mut pieces = vec![String::new()];
            for (i, c) in text.chars().enumerate() {
                pieces.last_mut().unwrap().push(c);
                if cuts >> i & 1 == 1 {
                    pieces.push(String::new());
                }
            }
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            assert_eq!(cut(&stops, &pieces), ("abxb".into(), true), "{cuts:b}");
        }
    }
}
