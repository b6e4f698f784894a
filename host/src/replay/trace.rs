//! Traces: when requests come, how long their prompts and answers are.
//!
//! Three formats are read: our own JSON lines (`arrival_s`, `prompt_tokens`, `output_tokens`), the CSV of Azure's
//! LLM inference traces (`TIMESTAMP,ContextTokens,GeneratedTokens`; Patel et al., Splitwise, 2024) and the JSON lines
//! of Mooncake (`timestamp` in ms, `input_length`, `output_length`, `hash_ids` of blocks of 512 tokens; Qin et al.,
//! 2024), whose requests with equal first blocks have equal first tokens here, too.

use crate::Error;
use serde::Deserialize;
use std::path::Path;
use terntable_golden::sample::mix;

/// Tokens that a `hash_id` of Mooncake stands for.
const BLOCK: usize = 512;

/// A request of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// When it comes, seconds from the first.
    pub arrival_s: f64,
    /// Tokens of its prompt.
    pub prompt_tokens: usize,
    /// Tokens of its answer.
    pub output_tokens: usize,
    /// Names of the prompt's blocks, and tokens of each; equal names mean equal tokens.
    blocks: (Vec<u64>, usize),
}

/// Requests in the order of their arrival.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The requests.
    pub arrivals: Vec<Arrival>,
    /// Requests whose lengths were cut to fit a context.
    pub cut: usize,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Own {
        arrival_s: f64,
        prompt_tokens: usize,
        output_tokens: usize,
    },
    Mooncake {
        timestamp: f64,
        input_length: usize,
        output_length: usize,
        #[serde(default)]
        hash_ids: Vec<u64>,
    },
}

impl Trace {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let remedy = "give a trace: JSON lines, or Azure's CSV";
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.into(),
            source,
            remedy,
        })?;
        Self::parse(&text).map_err(|text| Error::File { path: path.into(), text })
    }

    /// Reads a text; an error names the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let csv = text.trim_start_matches('\u{feff}').starts_with("TIMESTAMP");
        let lines = text.lines().enumerate().skip(usize::from(csv));
        let mut arrivals = Vec::new();
        for (i, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let arrival = if csv { azure(line) } else { json(line) };
            let arrival = arrival.ok().filter(|a| a.arrival_s.is_finite() && a.prompt_tokens > 0);
            arrivals.push(arrival.ok_or_else(|| {
                format!(
                    "line {}: expected arrival_s, prompt_tokens (at least 1) and output_tokens as JSON, Mooncake's \
                     fields, or a line of Azure's CSV",
                    i + 1
                )
            })?);
        }
        arrivals.sort_by(|a, b| a.arrival_s.total_cmp(&b.arrival_s));
        let first = arrivals.first().ok_or("no request in it; expected one a line")?.arrival_s;
        arrivals.iter_mut().for_each(|arrival| arrival.arrival_s -= first);
        Ok(Self { arrivals, cut: 0 })
    }

    /// The first `most` requests, `speed` times as fast, with lengths divided by `shrink`.
    pub fn scaled(mut self, most: usize, speed: f64, shrink: f64) -> Self {
        self.arrivals.truncate(most);
        let less = |tokens: usize| ((tokens as f64 / shrink).round() as usize).max(1);
        for arrival in &mut self.arrivals {
            arrival.arrival_s /= speed;
            arrival.prompt_tokens = less(arrival.prompt_tokens);
            arrival.output_tokens = less(arrival.output_tokens);
            arrival.blocks.1 = less(arrival.blocks.1);
        }
        self
    }

    /// Cuts what does not fit a context: the answer to half of it, then the prompt to the rest.
    pub fn fitting(mut self, context: usize) -> Self {
        for arrival in &mut self.arrivals {
            if arrival.prompt_tokens + arrival.output_tokens <= context {
                continue;
            }
            self.cut += 1;
            let room = context.saturating_sub(arrival.prompt_tokens).max(context / 2).max(1);
            arrival.output_tokens = arrival.output_tokens.min(room);
            let room = context.saturating_sub(arrival.output_tokens).max(1);
            arrival.prompt_tokens = arrival.prompt_tokens.min(room);
        }
        self
    }
}

impl Arrival {
    /// Tokens of its prompt, drawn from a vocabulary.
    pub fn prompt(&self, number: u64, vocab: usize) -> Vec<u32> {
        let (names, length) = &self.blocks;
        let token = |at: usize| {
            let name = names.get(at / length).map_or(mix(!number), |name| mix(*name));
            (mix(name ^ at as u64) % vocab as u64) as u32
        };
        (0..self.prompt_tokens).map(token).collect()
    }
}

fn json(line: &str) -> Result<Arrival, ()> {
    Ok(match serde_json::from_str(line).map_err(|_| ())? {
        Line::Own { arrival_s, prompt_tokens, output_tokens } => {
            Arrival { arrival_s, prompt_tokens, output_tokens, blocks: (Vec::new(), BLOCK) }
        }
        Line::Mooncake { timestamp, input_length, output_length, hash_ids } => Arrival {
            arrival_s: timestamp / 1e3,
            prompt_tokens: input_length,
            output_tokens: output_length,
            blocks: (hash_ids, BLOCK),
        },
    })
}

fn azure(line: &str) -> Result<Arrival, ()> {
    let mut fields = line.split(',').map(str::trim);
    let mut field = || fields.next().ok_or(());
    Ok(Arrival {
        arrival_s: seconds(field()?).ok_or(())?,
        prompt_tokens: field()?.parse().map_err(|_| ())?,
        output_tokens: field()?.parse().map_err(|_| ())?,
        blocks: (Vec::new(), BLOCK),
    })
}

/// Seconds of `2024-05-10 00:00:00.009930+00:00`, or the same without a zone, since some day long ago.
fn seconds(text: &str) -> Option<f64> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let time = time.split(['+', 'Z']).next()?;
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let mut parts = time.splitn(3, ':').map(|part| part.parse::<f64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    // Years that begin in March have their odd day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    Some((days * 86_400) as f64 + 3600.0 * hour + 60.0 * minute + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(trace: &Trace) -> Vec<(f64, usize, usize)> {
        trace.arrivals.iter().map(|a| (a.arrival_s, a.prompt_tokens, a.output_tokens)).collect()
    }

    #[test]
    fn three_formats_are_read() {
        let own = "{\"arrival_s\": 3.5, \"prompt_tokens\": 7, \"output_tokens\": 2}\n\n\
                   {\"arrival_s\": 1, \"prompt_tokens\": 9, \"output_tokens\": 4}\n";
        assert_eq!(lengths(&Trace::parse(own).unwrap()), [(0.0, 9, 4), (2.5, 7, 2)]);
        let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-12-31 23:59:59.5000000,374,44\r\n\
                     2024-01-01 00:00:01.0000000,396,109\r\n";
        assert_eq!(lengths(&Trace::parse(azure).unwrap()), [(0.0, 374, 44), (1.5, 396, 109)]);
        let newer = "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-02-29 12:00:00.25+00:00,1,2\n\
                     2024-03-01 12:00:00.50+00:00,3,4\n";
        assert_eq!(lengths(&Trace::parse(newer).unwrap()), [(0.0, 1, 2), (86_400.25, 3, 4)]);
        let mooncake = "{\"timestamp\": 1000, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [4, 5]}\n\
                        {\"timestamp\": 4000, \"input_length\": 700, \"output_length\": 6, \"hash_ids\": [4, 6]}\n";
        let trace = Trace::parse(mooncake).unwrap();
        assert_eq!(lengths(&trace), [(0.0, 600, 5), (3.0, 700, 6)]);
        let [a, b] = [0, 1].map(|i| trace.arrivals[i].prompt(i as u64, 1000));
        assert_eq!(a[..512], b[..512]);
        assert_ne!(a[512..560], b[512..560]);
        assert!(a.iter().all(|token| *token < 1000));
    }

    #[test]
    fn damage_names_its_line() {
        for text in [
            "{\"arrival_s\": 1, \"prompt_tokens\": 1, \"output_tokens\": 1}\n{\"arrival_s\": 1}",
            "TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,2",
            "{\"arrival_s\": 1, \"prompt_tokens\": 1, \"output_tokens\": 1}\n{\"arrival_s\": 2, \
             \"prompt_tokens\": 0, \"output_tokens\": 1}",
        ] {
            assert!(Trace::parse(text).unwrap_err().starts_with("line 2"), "{text}");
        }
        assert!(Trace::parse("").unwrap_err().contains("no request"));
    }

    #[test]
    fn lengths_fit_a_context() {
        let own = |p, o| {
            format!("{{\"arrival_s\": 0, \"prompt_tokens\": {p}, \"output_tokens\": {o}}}\n")
        };
        let text = own(10, 20) + &own(600, 20) + &own(40, 900) + &own(900, 900);
        let trace = Trace::parse(&text).unwrap().scaled(4, 2.0, 1.0).fitting(512);
        assert_eq!(trace.cut, 3);
        assert_eq!(
            lengths(&trace),
            [(0.0, 10, 20), (0.0, 492, 20), (0.0, 40, 472), (0.0, 256, 256)]
        );
        let trace = Trace::parse(&text).unwrap().scaled(1, 1.0, 10.0);
        assert_eq!(lengths(&trace), [(0.0, 1, 2)]);
    }
}
