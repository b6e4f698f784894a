//! Nothing in memory makes the golden card panic, hang or write outside the state region.

use crate::rig::{Rig, random_model};
use std::collections::BTreeMap;
use terntable_golden::{
    card::{
        command::{COMMAND_BYTES, COMMANDS},
        image::{Image, Section, SectionKind},
        machine::{ErrorCode, Machine},
        program::ProgramKind,
    },
    sample::mix,
};

/// A card with a few tokens in its cache and a pass in its memory.
fn ready(seed: u64) -> (Rig, Vec<u8>) {
    let model = random_model(seed);
    let mut rig = Rig::new(&model, Some(8));
    let id = rig.kv.create().unwrap();
    rig.feed(ProgramKind::Pass, id, &[1, 2, 3]);
    rig.feed(ProgramKind::Pass, id, &[4, 5, 6, 7]);
    let kind = ProgramKind::ALL[seed as usize % 5];
    rig.feed(kind, id, &[3, 2]);
    let mut pass = rig.pass(kind);
    pass.push_chunk(rig.layout().table(id.0), 7, &[3, 2], |_| true).unwrap();
    let descriptor = pass.encode();
    (rig, descriptor)
}

/// Runs the pass to its end or error; what it did, by code.
fn run(machine: &mut Machine, descriptor: u64) -> u8 {
    let image = machine.image().to_vec();
    let size = machine.state().len();
    let result = machine.run(descriptor);
    assert_eq!(machine.image(), image, "the image is only read");
    assert_eq!(machine.state().len(), size);
    assert!(!machine.running());
    result.map_or_else(|error| error.code as u8, |()| 0)
}

fn flip(bytes: &mut [u8], seed: u64) {
    for i in 0..1 + mix(seed) % 3 {
        let draw = mix(seed ^ i << 40);
        let at = (draw >> 8) as usize % bytes.len();
        match draw & 3 {
            0 => bytes[at] = (draw >> 40) as u8,
            1 => bytes[at] = 0xff,
            _ => bytes[at] ^= 1 << (draw >> 4 & 7),
        }
    }
}

/// Broken commands, descriptors and state: several thousand of each.
#[test]
fn corrupted_memory_ends_in_a_result_or_a_code() {
    let mut seen: BTreeMap<u8, usize> = BTreeMap::new();
    for seed in 0..10 {
        let (rig, descriptor) = ready(seed);
        let at = rig.layout().descriptor;
        for round in 0..300_u64 {
            let draw = seed << 32 | round;
            let mut machine = rig.machine.clone();
            let mut bytes = descriptor.clone();
            let offset = (at & ((1 << 39) - 1)) as usize;
            match round % 3 {
                0 => flip(&mut bytes[..192], draw),
                1 => {
                    let program =
                        rig.built.image.header.program(ProgramKind::ALL[seed as usize % 5]);
                    let range = program.address as usize
                        ..(program.address + u64::from(program.bytes)) as usize;
                    let mut image = machine.image().to_vec();
                    flip(&mut image[range], draw);
                    let state = machine.state().to_vec();
                    machine = Machine::new(machine.card(), image, state.len());
                    machine.state_mut().copy_from_slice(&state);
                }
                _ => {
                    // The page table and everything else that the pass reads from the state.
                    let tables = (rig.layout().tables & ((1 << 39) - 1)) as usize;
                    let state = machine.state_mut();
                    flip(&mut state[tables..tables + 16], draw);
                    for i in 0..20 {
                        flip(state, draw ^ i << 50);
                    }
                }
            }
            machine.state_mut()[offset..offset + bytes.len()].copy_from_slice(&bytes);
            *seen.entry(run(&mut machine, at)).or_default() += 1;
        }
    }
    println!("{seen:?}");
    let codes = [
        ErrorCode::PassMagic,
        ErrorCode::PassSlots,
        ErrorCode::PassAddress,
        ErrorCode::PassProgram,
        ErrorCode::PassSlot,
        ErrorCode::Opcode,
        ErrorCode::Size,
        ErrorCode::Address,
        ErrorCode::Panel,
        ErrorCode::Slot,
        ErrorCode::Read,
        ErrorCode::Page,
    ];
    let missing: Vec<_> = codes.iter().filter(|c| !seen.contains_key(&(**c as u8))).collect();
    assert!(missing.is_empty() && seen.contains_key(&0), "{missing:?} never seen in {seen:?}");
}

/// Programs of random commands with half-sensible fields.
#[test]
fn random_programs_end_in_a_result_or_a_code() {
    let mut seen: BTreeMap<u8, usize> = BTreeMap::new();
    let (rig, descriptor) = ready(1);
    let program = rig.built.image.header.program(ProgramKind::ALL[1]);
    let begin = &rig.machine.image()[program.address as usize..][..COMMAND_BYTES];
    for seed in 0..1500_u64 {
        let mut image = rig.machine.image().to_vec();
        let bytes = &mut image[program.address as usize..][..program.bytes as usize];
        for (i, command) in bytes.chunks_exact_mut(COMMAND_BYTES).enumerate().skip(1) {
            let draw = mix(seed << 16 ^ i as u64);
            let other = &COMMANDS[draw as usize % COMMANDS.len()];
            match draw >> 8 & 7 {
                0 => command[0] = other.opcode,
                1 => flip(command, draw),
                2 => {
                    // A command of this kind with small random fields and valid addresses.
                    command.fill(0);
                    command[0] = other.opcode;
                    for field in other.fields {
                        let value = mix(draw ^ field.word as u64) as usize;
                        let at = (32 * field.word + field.low) / 8;
                        if field.bits == 40 {
                            command[at + 1] = value as u8;
                            command[at + 4] = (value >> 8) as u8 & 0x80;
                        } else if field.bits >= 8 {
                            command[at] = value as u8 & 15;
                        }
                    }
                }
                _ => {}
            }
        }
        bytes[..COMMAND_BYTES].copy_from_slice(begin);
        let mut machine = Machine::new(&rig.card, image, rig.machine.state().len());
        machine.state_mut().copy_from_slice(rig.machine.state());
        let at = rig.layout().descriptor;
        let offset = (at & ((1 << 39) - 1)) as usize;
        machine.state_mut()[offset..offset + descriptor.len()].copy_from_slice(&descriptor);
        *seen.entry(run(&mut machine, at)).or_default() += 1;
    }
    println!("{seen:?}");
}

/// Damaged image files are refused; undamaged headers with damaged pages name the page.
#[test]
fn damaged_images_are_refused() {
    let model = random_model(2);
    let rig = Rig::new(&model, None);
    let bytes = rig.built.image.bytes();
    let parsed = Image::parse(bytes.to_vec()).unwrap();
    assert_eq!(parsed, rig.built.image);
    parsed.check_card(&rig.card).unwrap();
    for seed in 0..300_u64 {
        let mut damaged = bytes.to_vec();
        match seed % 3 {
            0 => flip(&mut damaged, seed),
            1 => flip(&mut damaged[..4096], seed),
            _ => damaged.truncate(mix(seed) as usize % bytes.len()),
        }
        let same = damaged == bytes;
        let result = Image::parse(damaged);
        assert!(same || result.is_err(), "seed {seed}");
    }
    let Section { offset, .. } = rig.built.image.header.section(SectionKind::Panels);
    let mut damaged = bytes.to_vec();
    damaged[offset as usize] ^= 1;
    let text = Image::parse(damaged).unwrap_err().to_string();
    assert!(text.contains("(panels)") && text.contains("damaged"), "{text}");
    for junk in [&b""[..], b"TTCARD\r\n", &[0xff; 5000]] {
        assert!(Image::parse(junk.to_vec()).is_err());
    }
}

/// Header fields that contradict the file, each with a right checksum.
#[test]
fn every_header_field_is_checked() {
    let rig = Rig::new(&random_model(2), None);
    let forged = |at: usize, value: u64, bytes: usize, part: &str| {
        let mut forged = rig.built.image.bytes().to_vec();
        forged[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
        let crc = terntable_golden::card::image::crc32c(&forged[..4092]);
        forged[4092..4096].copy_from_slice(&crc.to_le_bytes());
        let text = Image::parse(forged).unwrap_err().to_string();
        assert!(text.contains(part), "{at}: expected {part:?} in {text:?}");
    };
    let section = |kind: SectionKind| rig.built.image.header.section(kind);
    let rope = section(SectionKind::Rope);
    let sections = |i: usize| 256 + 32 * i;
    forged(sections(2) + 8, rope.offset + 4096, 8, "section rotary table");
    forged(sections(2) + 8, rope.offset - 4096, 8, "section rotary table");
    forged(sections(2) + 16, rope.bytes + 4096, 8, "section panels");
    forged(sections(2) + 16, u64::MAX, 8, "section rotary table");
    forged(sections(2), 3, 4, "section rotary table");
    forged(sections(8) + 16, 4, 8, "table of checksums");
    forged(1024 + 8, section(SectionKind::Programs).offset - 4096, 8, "program pass");
    forged(1024 + 16, 100, 8, "program pass");
    forged(1024 + 32 + 16, 1 << 30, 8, "program two-stage head");
    forged(24, 4096, 8, "truncated");
    forged(12, 512, 4, "page size");
    forged(32, 0, 4, "hidden is 0");
    forged(72, 2, 4, "gate");
    forged(76, 5, 4, "4 nor 8 bits");
    forged(80, 8, 4, "16 nor 32 bits");
    forged(88, 1, 4, "table of checksums");
    forged(92, 8, 4, "number of sections");
    forged(96, 6, 4, "number of programs");
}

/// Headers whose checksum is right and whose fields are not.
#[test]
fn false_headers_are_refused() {
    let rig = Rig::new(&random_model(2), None);
    let bytes = rig.built.image.bytes();
    let mut refused = 0;
    for seed in 0..2000_u64 {
        let mut forged = bytes.to_vec();
        flip(&mut forged[..1300], seed);
        let crc = terntable_golden::card::image::crc32c(&forged[..4092]);
        forged[4092..4096].copy_from_slice(&crc.to_le_bytes());
        match Image::parse(forged) {
            Err(_) => refused += 1,
            // Names, sizes that only the card can judge, reserved bytes.
            Ok(image) => drop(image.check_card(&rig.card)),
        }
    }
    assert!(refused > 500, "{refused}");
}
