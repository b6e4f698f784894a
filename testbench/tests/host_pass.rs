//! Passes over the rings: image, pages, descriptor and results go through the host interface of the RTL.

#[path = "host/world.rs"]
#[allow(dead_code)]
mod world;

#[allow(dead_code)]
#[path = "../../golden-model/tests/card/rig.rs"]
mod rig;

use rig::{Rig, random_model};
use terntable_driver::{
    card::HOST, card_registers as card, entry::Entry, function::Function, host_registers as host,
};
use terntable_golden::card::{
    command::STATE, image::crc32c, machine::ErrorCode, program::ProgramKind,
};
use terntable_testbench::{
    agents::{BusTiming, DramTiming},
    host_card::{HostCardOptions, HostCardSim},
};
use world::*;

/// Bytes of host memory behind the rings, and of a copy.
const SPACE: usize = 0x10_0000;
/// Bytes of the state region that the model does not use.
const SPARE: u64 = 0x4000;

fn regions(rig: &Rig) -> Regions {
    let image = rig.built.image.bytes().len() as u64;
    let state = rig.layout().state_bytes.next_multiple_of(256) + SPARE;
    Regions { image, state, load: image }
}

fn world(rig: &Rig, options: HostCardOptions) -> World<HostCardSim> {
    let mut world =
        World::new(HostCardSim::new(&rig.card, options).unwrap(), SPACE + SOURCE as usize);
    let image = rig.built.image.bytes();
    world.begin(3, regions(rig));
    copy_in(&mut world, 0, image);
    copy_in(&mut world, STATE, rig.machine.state());
    world
}

/// Runs an entry and expects success.
fn run(world: &mut World<HostCardSim>, entry: Entry) {
    let index = world.host(host::head::OFFSET);
    world.submit(&[entry]);
    world.settle();
    let completion = world.completion(index);
    assert_eq!((completion.status, completion.head), (0, index + 1), "{entry:x?}");
}

/// Copies bytes to the card, checked on arrival.
fn copy_in(world: &mut World<HostCardSim>, at: u64, bytes: &[u8]) {
    for (piece, from) in bytes.chunks(SPACE).zip((0..).step_by(SPACE)) {
        let mut beats = piece.to_vec();
        beats.resize(piece.len().next_multiple_of(16), 0);
        world.memory.write(SOURCE as usize, &beats).unwrap();
        let crc = crc32c(&beats);
        let size = beats.len() as u32;
        run(world, Entry::to_card(SHARED + SOURCE, at + from as u64, size, Some(crc)));
    }
}

fn copy_out(world: &mut World<HostCardSim>, at: u64, bytes: usize) -> Vec<u8> {
    let size = bytes.next_multiple_of(16);
    run(world, Entry::from_card(SHARED + SOURCE, at, size as u32));
    world.bytes(SOURCE as usize, bytes)
}

/// A pass of some tokens of a new sequence: in the golden card, and on its way to the RTL.
fn prepare(rig: &mut Rig, world: &mut World<HostCardSim>, tokens: &[u32]) -> u64 {
    let id = rig.kv.create().unwrap();
    rig.reserve(id, tokens.len());
    let mut pass = rig.pass(ProgramKind::TwoStage);
    let table = rig.layout().table(id.0);
    pass.push_chunk(table, 0, tokens, |_| true).unwrap();
    let descriptor = rig.layout().descriptor;
    rig.write(descriptor, &pass.encode());
    copy_in(world, STATE, rig.machine.state());
    descriptor
}

fn compare(rig: &Rig, world: &mut World<HostCardSim>) {
    let state = copy_out(world, STATE, rig.machine.state().len());
    let differs = (0..state.len()).find(|&i| state[i] != rig.machine.state()[i]);
    assert_eq!(differs, None, "the state differs there");
}

#[test]
fn passes_over_the_rings_give_the_golden_results() {
    for (bus, memory) in [
        (BusTiming::IDEAL, DramTiming::IDEAL),
        (BusTiming::PCIE, DramTiming::KV260),
        (BusTiming::HOSTILE, DramTiming::HOSTILE),
    ] {
        let mut rig = Rig::new(&random_model(3), None);
        let mut world = world(&rig, HostCardOptions { bus, memory, ..Default::default() });
        for tokens in [&[3, 1, 4][..], &[1], &[5, 9]] {
            let descriptor = prepare(&mut rig, &mut world, tokens);
            run(&mut world, Entry { interrupt: true, ..Entry::pass(descriptor) });
            assert_eq!(world.interrupts(), [0]);
            rig.machine.run(descriptor).unwrap();
            compare(&rig, &mut world);
        }
        assert_eq!(world.function.read32(card::passes_done::OFFSET), 3);
    }
}

#[test]
fn copies_move_while_a_pass_runs() {
    let mut rig = Rig::new(&random_model(3), None);
    for memory in [DramTiming::KV260, DramTiming::HOSTILE] {
        let mut world = world(&rig, HostCardOptions { memory, ..Default::default() });
        let spare = STATE | rig.layout().state_bytes.next_multiple_of(256);
        let descriptor = prepare(&mut rig, &mut world, &[2, 7, 1]);
        let noise: Vec<u8> =
            (0..SPARE as u32).map(|i| (i.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
        world.memory.write(SOURCE as usize, &noise).unwrap();
        // The pass is rung in by the host itself; the queue copies there and back meanwhile.
        world.set64(card::doorbell_lo::OFFSET, descriptor);
        let before = world.host(host::head::OFFSET);
        let (there, back) = (SHARED + SOURCE, SHARED + SOURCE + SPARE);
        world.submit(&[
            Entry::to_card(there, spare, SPARE as u32, Some(crc32c(&noise))),
            Entry::from_card(back, spare, SPARE as u32),
        ]);
        let begin = world.function.cycle();
        while world.host(host::head::OFFSET) < before + 2 {
            world.function.work(&world.table);
            assert!(world.function.cycle() - begin < 100_000, "the copies do not end");
        }
        let copied = world.function.cycle() - begin;
        assert!(world.function.busy(), "the pass was over before the copies, {copied} cycles");
        assert!(world.bytes((SOURCE + SPARE) as usize, noise.len()) == noise, "the copies differ");
        // A pass of the queue waits for the other one.
        let next = Entry::pass(descriptor);
        run(&mut world, next);
        assert_eq!(world.function.read32(card::passes_done::OFFSET), 2);
        let lost =
            card::status::DOORBELL_LOST.get(world.function.read32(card::status::OFFSET).into());
        assert_eq!(lost, 0);
        assert_eq!(world.host(host::error_code::OFFSET), 0);
        rig.machine.run(descriptor).unwrap();
        rig.machine.run(descriptor).unwrap();
        compare(&rig, &mut world);
        assert_eq!(world.function.read32(HOST + host::status::OFFSET), 0);
    }
}

#[test]
fn a_queue_that_is_disabled_ends_its_pass() {
    let mut rig = Rig::new(&random_model(3), None);
    let mut world = world(&rig, HostCardOptions::default());
    let descriptor = prepare(&mut rig, &mut world, &[2, 7, 1]);
    for cycles in [40, 400, 4000] {
        world.submit(&[Entry::pass(descriptor)]);
        world.function.run(cycles, &world.table).unwrap();
        assert!(world.function.busy(), "the pass was over after {cycles} cycles");
        world.stop();
        let code = world.function.read32(card::error_code::OFFSET);
        assert_eq!(code, ErrorCode::Aborted as u32, "after {cycles} cycles");
        let (regions, passes) = (regions(&rig), world.function.read32(card::passes_done::OFFSET));
        assert_eq!(passes, 0);
        world.begin(3, regions);
    }
    copy_in(&mut world, STATE, rig.machine.state());
    run(&mut world, Entry::pass(descriptor));
    rig.machine.run(descriptor).unwrap();
    compare(&rig, &mut world);
}
