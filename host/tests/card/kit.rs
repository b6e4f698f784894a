//! Models on cards, and passes with their reference.

use std::path::Path;
use terntable::{
    Error,
    card::{Card, CardModel, Chunk, GoldenCard},
    card_lockstep::LockstepCard,
    device::{DeviceName, passes},
    import::Checkpoint,
    lockstep::candidates_differ,
    pack::{PackOptions, pack_model},
    runner::{Feed, Runner},
    sim::SimCard,
};
use terntable_golden::{
    card::{command::STATE, config::CardConfig, kv::SequenceId, machine::Machine},
    head::{Candidate, HeadMode},
    model::Model,
    sample::mix,
};
use terntable_testbench::{agents::axi_dram::DramTiming, card::CardOptions, seed::seed};

/// The options of a card with the RTL under test.
pub fn options() -> CardOptions {
    let options = CardOptions::default();
    match std::env::var_os("TERNTABLE_TEST_RTL") {
        Some(rtl) => CardOptions { rtl: rtl.into(), ..options },
        None => options,
    }
}

/// The bundled model, and tokens of its text.
pub fn shakespeare() -> (Model, Vec<u32>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/shakespeare");
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let text = std::fs::read_to_string(folder.join("tinyshakespeare.txt")).unwrap();
    let tokens = checkpoint.tokenizer().unwrap().encode(&text[..2000]).unwrap();
    (checkpoint.model().unwrap(), tokens)
}

/// Random tokens of a model.
pub fn random_tokens(model: &Model, salt: u64, count: usize) -> Vec<u32> {
    let token = |i| (mix(seed() ^ salt << 32 ^ i) % model.config.vocab as u64) as u32;
    (0..count as u64).map(token).collect()
}

/// A model on a card, with few pages so that the state is compared quickly.
pub fn on<C: Card>(model: &Model, card: C) -> CardModel<C> {
    let options = PackOptions { pages: Some(40), ..PackOptions::default() };
    let image = pack_model(model, card.config(), &options, |_, _| {}).unwrap();
    CardModel::open(card, &image).unwrap()
}

/// Both cards, every command compared.
pub fn lockstep(config: &CardConfig, model: &Model) -> CardModel<LockstepCard> {
    on(model, LockstepCard::open(config, options()).unwrap())
}

/// Both cards, at their own pace; the state memory compared after every pass.
pub fn beside(config: &CardConfig, model: &Model, timing: DramTiming) -> CardModel<Beside> {
    let options = CardOptions { timing, peek: false, ..options() };
    let sim = SimCard::with(config, options).unwrap();
    let golden = GoldenCard::new(config);
    on(model, Beside { sim, golden, passes: 0 })
}

/// The simulated card as it is used, without steps, and the golden card model.
pub struct Beside {
    pub sim: SimCard,
    golden: GoldenCard,
    pub passes: usize,
}

impl Beside {
    fn compare_state(&mut self) -> Result<(), Error> {
        let expected = self.golden.machine().state();
        let mut found = vec![0; expected.len()];
        self.sim.read_state(STATE, &mut found)?;
        match first_difference(expected, &found) {
            Some(at) => Err(Error::Differs(format!(
                "pass {}, byte {at:#x} of the state: expected {:#x}, found {:#x}",
                self.passes, expected[at], found[at]
            ))),
            None => Ok(()),
        }
    }
}

/// The first byte that differs.
pub fn first_difference(expected: &[u8], found: &[u8]) -> Option<usize> {
    (expected != found).then(|| (0..expected.len()).find(|&at| expected[at] != found[at]))?
}

impl Card for Beside {
    fn config(&self) -> &CardConfig {
        self.sim.config()
    }

    fn load(&mut self, image: &[u8], state_bytes: u64) -> Result<(), Error> {
        self.golden.load(image, state_bytes)?;
        self.sim.load(image, state_bytes)
    }

    fn write_state(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        self.golden.write_state(address, bytes)?;
        self.sim.write_state(address, bytes)
    }

    fn read_state(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        self.sim.read_state(address, bytes)
    }

    fn run_pass(&mut self, descriptor: u64) -> Result<(), Error> {
        self.passes += 1;
        let golden: &mut Machine = self.golden.machine();
        golden.run(descriptor).map_err(|e| Error::Card(format!("golden: {e}")))?;
        self.sim.run_pass(descriptor)?;
        self.compare_state()
    }
}

/// What a pass does for a sequence: so many tokens, so many of them with candidates.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub sequence: usize,
    pub tokens: usize,
    pub wanted: usize,
}

impl Part {
    pub fn new(sequence: usize, tokens: usize, wanted: usize) -> Self {
        Self { sequence, tokens, wanted }
    }
}

/// Passes; the parts of one in the order of their slots.
pub type Script = Vec<Vec<Part>>;

/// A prompt in passes of all slots, then one token a pass.
pub fn one_sequence(slots: usize, prompt: usize, decode: usize) -> Script {
    let starts = (0..prompt).step_by(slots);
    let chunk = |start| {
        let tokens = slots.min(prompt - start);
        vec![Part::new(0, tokens, usize::from(start + tokens == prompt))]
    };
    starts.map(chunk).chain((0..decode).map(|_| vec![Part::new(0, 1, 1)])).collect()
}

/// Sequences in any slots, in any order, some of them idle, until so many tokens.
pub fn mixed(slots: usize, sequences: usize, tokens: usize) -> Script {
    let (mut script, mut made) = (Vec::new(), 0);
    while made < tokens {
        let draw = |salt: u64| mix(seed() ^ (script.len() as u64) << 20 ^ salt << 50) as usize;
        let (mut left, first) = (1 + draw(0) % slots, draw(1) % sequences);
        let parts = sequences.min(left);
        let mut pass = Vec::new();
        for i in 0..parts {
            let tokens = if i + 1 == parts { left } else { draw(2 + i as u64) % (left + 1) };
            if tokens > 0 {
                let step = if draw(9) & 1 == 0 { i } else { sequences - i };
                let wanted = draw(20 + i as u64) % (tokens + 1);
                pass.push(Part::new((first + step) % sequences, tokens, wanted));
                left -= tokens;
                made += tokens;
            }
        }
        script.push(pass);
    }
    script
}

/// Every slot in use: half of them with sequences that decode at different positions, the other half a
/// chunk of a prompt, between them.
pub fn full(slots: usize, tokens: usize) -> Script {
    let decoding = slots / 2;
    let mut script: Script =
        (0..decoding).map(|s| vec![Part::new(s, slots - s % slots, 1)]).collect();
    let mut made: usize = script.iter().flatten().map(|part| part.tokens).sum();
    while made < tokens {
        let mut pass: Vec<Part> = (0..decoding).map(|s| Part::new(s, 1, 1)).collect();
        let chunk = Part::new(decoding, slots - decoding, script.len() % 2);
        pass.insert(script.len() % (decoding + 1), chunk);
        script.push(pass);
        made += slots;
    }
    script
}

/// Plays passes on a card and every sequence by itself on the CPU; all candidates must be equal.
/// Decodes take the best candidate, prompts the text. Returns the number of tokens.
pub fn play<C: Card>(
    card: &mut CardModel<C>,
    model: &Model,
    head: HeadMode,
    text: &[u32],
    script: &[Vec<Part>],
) -> usize {
    let sequences = 1 + script.iter().flatten().map(|part| part.sequence).max().unwrap();
    let ids: Vec<SequenceId> = (0..sequences).map(|_| card.kv().create().unwrap()).collect();
    let cpu = || Runner::new(passes(DeviceName::Cpu, model).unwrap(), head);
    let mut alone: Vec<_> = (0..sequences).map(|_| cpu()).collect();
    let mut text = text.iter().copied().cycle();
    let mut best = vec![None; sequences];
    for pass in script {
        let tokens: Vec<Vec<u32>> = pass
            .iter()
            .map(|part| match best[part.sequence].take() {
                Some(token) if part.tokens == 1 => vec![token],
                _ => text.by_ref().take(part.tokens).collect(),
            })
            .collect();
        let chunks: Vec<Chunk<'_>> = pass
            .iter()
            .zip(&tokens)
            .map(|(part, tokens)| Chunk {
                sequence: ids[part.sequence],
                tokens,
                wanted: part.wanted,
            })
            .collect();
        let mut ranked = card.pass(head, &chunks).unwrap_or_else(|e| panic!("{pass:?}: {e}"));
        for (part, tokens) in pass.iter().zip(&tokens) {
            let reference = &mut alone[part.sequence];
            let expected = reference.feed(tokens, part.wanted, &mut |_| {}).unwrap();
            let got: Vec<_> = ranked.drain(..part.wanted).collect();
            let end = reference.position();
            same(end - part.wanted, &expected, &got);
            best[part.sequence] = expected.last().map(|candidates| candidates[0].token);
        }
        assert!(ranked.is_empty());
    }
    ids.into_iter().for_each(|id| card.kv().end(id).unwrap());
    script.iter().flatten().map(|part| part.tokens).sum()
}

/// Fails with the first difference of ranked candidates.
pub fn same(first: usize, expected: &[Vec<Candidate>], got: &[Vec<Candidate>]) {
    assert_eq!(expected.len(), got.len());
    for (i, (expected, got)) in expected.iter().zip(got).enumerate() {
        if let Some(difference) = candidates_differ(first + i, expected, got) {
            panic!("{difference}");
        }
    }
}

/// Candidates after the last tokens of a sequence that runs by itself on the CPU.
pub fn alone(model: &Model, head: HeadMode, tokens: &[u32], wanted: usize) -> Vec<Vec<Candidate>> {
    let cpu = passes(DeviceName::Cpu, model).unwrap();
    Runner::new(cpu, head).feed(tokens, wanted, &mut |_| {}).unwrap()
}
