//! Damage anywhere in the card's memory: a pass ends in a result or in a code, with its interrupt, in
//! time; it writes nothing but what is a pass's to write; the next pass is right.

use crate::{
    kit::{first_difference, options, random_tokens},
    rig::random_model,
};
use std::{collections::BTreeMap, ops::Range, time::Instant};
use terntable::{
    card::{Card, CardModel, GoldenCard},
    pack::{PackOptions, pack_model},
    sim::SimCard,
};
use terntable_golden::{
    card::{
        command::STATE,
        config::CardConfig,
        image::{Header, SectionKind},
        layout::CardLayout,
        machine::{ErrorCode, Machine},
        pass::CardPass,
        program::ProgramKind,
    },
    model::Model,
    sample::mix,
};
use terntable_testbench::{
    agents::axi_dram::DramTiming,
    card::{CardOptions, PassEnd},
    seed::seed,
};

/// Damaged passes of each test.
const ROUNDS: u64 = 510;
/// Most cycles of a pass, in those of the undamaged one.
const LONGEST: u64 = 40;

/// What is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Descriptor,
    Program,
    PageTable,
    /// Weights, norms, embeddings, the head.
    Model,
    /// Keys and values of the rows before.
    Cache,
}

const TARGETS: [Target; 8] = [
    Target::Descriptor,
    Target::Descriptor,
    Target::Program,
    Target::Program,
    Target::Program,
    Target::PageTable,
    Target::Model,
    Target::Cache,
];

/// The programs of the models.
const KINDS: [ProgramKind; 5] = [
    ProgramKind::TwoStage,
    ProgramKind::Logits,
    ProgramKind::TwoStage,
    ProgramKind::Full,
    ProgramKind::Pass,
];

/// A pass that is ready to run, in a small model.
struct Scene {
    config: CardConfig,
    header: Header,
    layout: CardLayout,
    kind: ProgramKind,
    image: Vec<u8>,
    /// The state before the pass and after it.
    before: Vec<u8>,
    after: Vec<u8>,
    /// Cycles of the undamaged pass.
    cycles: u64,
}

/// The smallest of some random models.
fn small_model(salt: u64) -> Model {
    let seeds = (0..40).map(|i| mix(seed() ^ salt << 32 ^ i));
    let size = |model: &Model| {
        let c = &model.config;
        c.layers * (c.hidden + c.intermediate + 2 * c.heads * c.head_dim) + c.vocab
    };
    seeds.map(random_model).min_by_key(size).unwrap()
}

fn offset(address: u64) -> usize {
    (address & !STATE) as usize
}

impl Scene {
    fn new(model: &Model, kind: ProgramKind) -> Self {
        let config = CardConfig::named("sim-small").unwrap();
        let options =
            PackOptions { pages: Some(6), panel_tiles: Some(8), ..PackOptions::default() };
        let image = pack_model(model, &config, &options, |_, _| {}).unwrap();
        let mut card = CardModel::open(GoldenCard::new(&config), &image).unwrap();
        let ids = [card.kv().create().unwrap(), card.kv().create().unwrap()];
        let tokens = random_tokens(model, 1, 16);
        let program = card.header().program(ProgramKind::Pass);
        for (id, tokens) in
            [(ids[0], &tokens[..4]), (ids[0], &tokens[4..8]), (ids[1], &tokens[8..11])]
        {
            let first = card.length(id).unwrap() as u32;
            card.reserve(id, tokens.len()).unwrap();
            let mut pass = CardPass::new(&config, card.layout(), program);
            pass.push_chunk(card.layout().table(id.0), first, tokens, |_| false).unwrap();
            card.run(&pass).unwrap();
            card.kv().commit(id, tokens.len()).unwrap();
        }
        let mut pass = CardPass::new(&config, card.layout(), card.header().program(kind));
        for (id, tokens) in [(ids[1], &tokens[11..12]), (ids[0], &tokens[12..14])] {
            let first = card.length(id).unwrap() as u32;
            card.reserve(id, tokens.len()).unwrap();
            let table = card.layout().table(id.0);
            pass.push_chunk(table, first, tokens, |i| i + 1 == tokens.len()).unwrap();
        }
        let (layout, header) = (card.layout().clone(), card.header().clone());
        card.card().write_state(layout.descriptor, &pass.encode()).unwrap();
        let machine = card.card().machine();
        let before = machine.state().to_vec();
        machine.run(layout.descriptor).unwrap();
        let after = machine.state().to_vec();
        let image = image.bytes().to_vec();
        Self { config, header, layout, kind, image, before, after, cycles: 0 }
    }

    /// Where a target lies: in the image or in the state.
    fn place(&self, target: Target, draw: u64) -> (bool, Range<usize>) {
        let CardLayout { descriptor, tables, table_bytes, kv, .. } = self.layout;
        let from = |start: usize, bytes: usize| start..start + bytes;
        match target {
            Target::Descriptor => (false, from(offset(descriptor), 64 + 64 * 3)),
            Target::Program => {
                let program = self.header.program(self.kind);
                (true, from(program.address as usize, program.bytes as usize))
            }
            Target::PageTable => (false, from(offset(tables), 2 * table_bytes as usize)),
            Target::Model => {
                const SECTIONS: [SectionKind; 7] = [
                    SectionKind::Embeddings,
                    SectionKind::Norms,
                    SectionKind::Rope,
                    SectionKind::Panels,
                    SectionKind::HeadRows,
                    SectionKind::Screen,
                    SectionKind::ScreenWeights,
                ];
                let section = self.header.section(SECTIONS[draw as usize % 7]);
                (true, from(section.offset as usize, (section.bytes as usize).max(1)))
            }
            Target::Cache => (false, offset(kv)..self.before.len()),
        }
    }

    /// Whether a place in the image holds panels.
    fn is_ternary(&self, range: &Range<usize>) -> bool {
        let kinds = [SectionKind::Panels, SectionKind::Screen];
        kinds.iter().any(|kind| self.header.section(*kind).offset as usize == range.start)
    }

    /// Bytes that a pass of the undamaged program may write, but for the given ones.
    fn is_of_pass(&self, at: usize) -> bool {
        let CardLayout { results, logits, tables, kv, .. } = self.layout;
        (offset(results)..offset(logits)).contains(&at)
            || (offset(logits)..offset(tables)).contains(&at)
            || at >= offset(kv)
    }

    /// Writes the scene to a card.
    fn load(&mut self, card: &mut SimCard) {
        card.load(&self.image, self.before.len() as u64).unwrap();
        let start = card.sim().cycle();
        self.good(card).unwrap();
        self.cycles = card.sim().cycle() - start;
    }

    /// The undamaged pass gives what it must.
    fn good(&self, card: &mut SimCard) -> Result<(), String> {
        card.write_state(STATE, &self.before).unwrap();
        card.run_pass(self.layout.descriptor).map_err(|e| format!("the good pass: {e}"))?;
        let mut found = vec![0; self.before.len()];
        card.read_state(STATE, &mut found).unwrap();
        match first_difference(&self.after, &found) {
            Some(at) => Err(format!("the good pass differs at {at:#x} of the state")),
            None => Ok(()),
        }
    }

    /// Runs a damaged pass, then the undamaged one. Says how it ended: the codes of the card and of
    /// the golden card model, 0 for done.
    fn strike(&self, card: &mut SimCard, target: Target, draw: u64) -> Result<(u8, u8), String> {
        let (in_image, range) = self.place(target, draw >> 32);
        let (mut image, mut state) = (self.image.clone(), self.before.clone());
        let bytes = if in_image { &mut image[range.clone()] } else { &mut state[range.clone()] };
        damage(bytes, target, draw);
        if in_image {
            card.sim().write(range.start as u64, bytes).unwrap();
        }
        card.write_state(STATE, &state).unwrap();

        let mut golden = Machine::new(&self.config, image.clone(), state.len());
        golden.state_mut().copy_from_slice(&state);
        let wanted = golden.run(self.layout.descriptor);

        card.sim().doorbell(self.layout.descriptor).unwrap();
        let end = card.sim().wait_pass(LONGEST * self.cycles).map_err(|e| e.to_string())?;
        let mut found = vec![0; state.len()];
        card.read_state(STATE, &mut found).unwrap();
        if card.sim().read(0, image.len()).unwrap() != image {
            return Err("the image was written".into());
        }
        if in_image {
            card.sim().write(range.start as u64, &self.image[range.clone()]).unwrap();
        }
        let original = if in_image { &self.image } else { &self.before };
        let damaged = if in_image { &image } else { &state };
        let changed: Vec<usize> = range.clone().filter(|&at| original[at] != damaged[at]).collect();
        // A program that reads what it never wrote, or waits for less than it must, has no one result;
        // a panel's 24 bits from 27^5 = 0xdaf26b on say no trits.
        let open = match target {
            Target::Program => true,
            Target::Model => self.is_ternary(&range) && changed.iter().any(|&at| image[at] >= 0xda),
            _ => false,
        };
        let codes = match (end, wanted) {
            (PassEnd::Done, Ok(())) if open => (0, 0),
            (PassEnd::Done, Ok(())) => {
                if let Some(at) = first_difference(golden.state(), &found) {
                    let (e, f) = (golden.state()[at], found[at]);
                    return Err(format!(
                        "done, byte {at:#x}: expected {e:#x}, found {f:#x}; damage at {changed:x?} in \
                         {range:x?}: {:x?} to {:x?}",
                        changed.iter().map(|&at| original[at]).collect::<Vec<_>>(),
                        changed.iter().map(|&at| damaged[at]).collect::<Vec<_>>(),
                    ));
                }
                (0, 0)
            }
            (PassEnd::Failed(failure), Err(error)) => {
                let code = ErrorCode::of(failure.code);
                if code.is_none() || code == Some(ErrorCode::Timeout) {
                    return Err(format!("{failure} instead of {error}"));
                }
                let stray = (0..state.len()).find(|&at| {
                    found[at] != state[at]
                        && !self.is_of_pass(at)
                        && golden.state()[at] == state[at]
                });
                // Damage to addresses moves what a pass may write.
                let moved = matches!(target, Target::Descriptor | Target::Program);
                if let Some(at) = stray.filter(|_| !moved) {
                    return Err(format!("{failure}, and byte {at:#x} of the state was written"));
                }
                (failure.code, error.code as u8)
            }
            (end, wanted) => return Err(format!("{end:?}, the golden card model {wanted:?}")),
        };
        self.good(card)?;
        Ok(codes)
    }
}

/// Changes one to three bytes or words.
fn damage(bytes: &mut [u8], target: Target, draw: u64) {
    for i in 0..1 + draw % 3 {
        let draw = mix(draw ^ i << 48);
        let mut at = (draw >> 8) as usize % bytes.len();
        // The first words of a command say most.
        if target == Target::Program && draw & 0x30 != 0 {
            at = at / 64 * 64 + at % 24;
        }
        let word = at / 4 * 4..(at / 4 * 4 + 4).min(bytes.len());
        match draw & 7 {
            0 => bytes[at] = (draw >> 40) as u8,
            1 => bytes[word].fill(0xff),
            2 => bytes[word].fill(0),
            // A small number where there was another.
            3 => bytes[at] = bytes[at].wrapping_add((draw >> 40) as u8 % 5).wrapping_sub(2),
            _ => bytes[at] ^= 1 << (draw >> 40 & 7),
        }
    }
}

fn attack(salt: u64, timing: DramTiming) {
    let (start, mut cycles) = (Instant::now(), 0);
    let config = CardConfig::named("sim-small").unwrap();
    let fresh = || {
        let options = CardOptions { timing, peek: false, ..options() };
        SimCard::with(&config, options).unwrap()
    };
    let mut card = fresh();
    let mut ends: BTreeMap<Target, BTreeMap<u8, usize>> = BTreeMap::new();
    let (mut others, mut problems) = (Vec::new(), Vec::new());
    for model in 0..KINDS.len() as u64 {
        let kind = [
            ProgramKind::TwoStage,
            ProgramKind::Logits,
            ProgramKind::TwoStage,
            ProgramKind::Full,
            ProgramKind::Pass,
        ][model as usize];
        let mut scene = Scene::new(&small_model(salt + model), kind);
        scene.load(&mut card);
        cycles = cycles.max(scene.cycles);
        for round in 0..ROUNDS / KINDS.len() as u64 {
            let draw = mix(seed() ^ salt << 56 ^ model << 48 ^ round);
            let target = TARGETS[round as usize % TARGETS.len()];
            match scene.strike(&mut card, target, draw) {
                Ok((found, wanted)) => {
                    *ends.entry(target).or_default().entry(found).or_default() += 1;
                    if found != wanted {
                        others.push((target, found, wanted));
                    }
                }
                Err(text) => {
                    problems.push(format!("model {model}, round {round}, {target:?}: {text}"));
                    // Whatever state that left the card in.
                    card = SimCard::with(
                        &config,
                        CardOptions { timing, peek: false, ..crate::kit::options() },
                    )
                    .unwrap();
                    scene.load(&mut card);
                }
            }
        }
    }
    println!(
        "{ROUNDS} damaged passes, of {cycles} cycles when undamaged, {:.1} s; codes {ends:x?}; card \
         and golden card model differ in the code: {others:x?}",
        start.elapsed().as_secs_f64()
    );
    assert!(problems.is_empty(), "{} problems: {problems:#?}", problems.len());
}

#[test]
fn damaged_passes_end_and_the_next_is_right() {
    attack(1, DramTiming::IDEAL);
}

#[test]
fn damaged_passes_end_behind_a_slow_memory() {
    attack(2, DramTiming::HOSTILE);
}
