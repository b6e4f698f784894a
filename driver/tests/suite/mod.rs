//! What every card must do, whatever it is behind. Each check gets a fresh transport.

use std::time::{Duration, Instant};
use terntable_driver::{
    Card, Error, Transport, Waits,
    card::HOST,
    card_registers as registers,
    entry::{Entry, opcode},
    host_registers::{self as host, host_status},
    transfer::Transfer,
};
use terntable_golden::card::{
    command::STATE, config::CardConfig, image::crc32c, machine::ErrorCode,
};

/// The configuration of the cards here.
pub fn config() -> CardConfig {
    CardConfig::named("sim-small").unwrap()
}

/// Opens a transport of some kind.
pub type Open<'a> = &'a dyn Fn() -> Box<dyn Transport>;

fn waits() -> Waits {
    let second = Duration::from_secs(2);
    Waits { copy: second, pass: second, stop: second, ..Waits::default() }
}

fn card(open: Open<'_>) -> Card {
    let mut card = Card::open(open(), waits()).unwrap();
    card.set_regions(1 << 16, 1 << 20).unwrap();
    card
}

fn noise(bytes: usize, seed: u32) -> Vec<u8> {
    let step = |i: u32| (i ^ seed).wrapping_mul(0x9e37_79b1).rotate_left(13);
    (0..bytes as u32).map(|i| step(i).wrapping_mul(0x85eb_ca6b).to_be_bytes()[0]).collect()
}

/// Everything.
pub fn all(open: Open<'_>) {
    it_says_who_it_is(open);
    copies_arrive_in_order(open);
    damage_is_noticed(open);
    bad_entries_stop_the_queue(open);
    interrupts_come_when_they_are_asked_for(open);
    a_full_ring_waits(open);
    the_image_is_written_through_the_window_only(open);
    a_malformed_pass_is_named(open);
    a_reset_forgets_registers_and_works_again(open);
    nothing_outside_is_touched(open);
    images_load(open);
}

fn it_says_who_it_is(open: Open<'_>) {
    let mut card = card(open);
    let config = config();
    assert_eq!(card.identity().config_hash, config.hash());
    assert_eq!(card.identity().memory_bytes, config.memory.bytes);
    assert_eq!(card.identity().beat_bytes, config.beat_bytes());
    assert_eq!(card.config([&config].into_iter()).unwrap().name, "sim-small");
    let other = CardConfig::named("kv260").unwrap();
    let error = card.config([&other].into_iter()).unwrap_err().to_string();
    assert!(error.contains(&format!("{:#018x}", config.hash())), "{error}");
    assert_eq!(card.read32(0xffc).unwrap(), 0, "an offset without a register");
    let too_much = card.set_regions(config.memory.bytes, 1).unwrap_err().to_string();
    assert!(too_much.contains("--pages"), "{too_much}");
}

fn copies_arrive_in_order(open: Open<'_>) {
    let mut card = card(open);
    let shared = card.shared();
    let bytes = noise(200 * 1024, 1);
    shared.write(0, &bytes).unwrap();
    let size = bytes.len() as u32;
    let there = Entry::to_card(shared.iova(), STATE | 4096, size, Some(crc32c(&bytes)));
    card.submit(there).unwrap();
    // Moves on by a beat inside of the card, then back: the second copy sees the first.
    let back = Entry::from_card(shared.iova() + (1 << 20), STATE | 4112, size - 16);
    let last = card.submit(Entry { interrupt: true, ..back }).unwrap();
    card.wait(last).unwrap();
    let mut found = vec![0; bytes.len() - 16];
    shared.read(1 << 20, &mut found).unwrap();
    assert!(found == bytes[16..], "copied bytes differ");
    let count = |card: &mut Card, offset| card.read32(HOST + offset).unwrap();
    assert_eq!(count(&mut card, host::entries::OFFSET), 2);
    assert_eq!(count(&mut card, host::head::OFFSET), 2);
    assert_eq!(count(&mut card, host::host_read_beats::OFFSET), (size + 2 * 64) / 16);
    assert_eq!(count(&mut card, host::host_write_beats::OFFSET), (size - 16) / 16 + 2);
}

fn damage_is_noticed(open: Open<'_>) {
    let mut card = card(open);
    let shared = card.shared();
    shared.write(0, &noise(4096, 2)).unwrap();
    let crc = crc32c(&noise(4096, 2)) ^ 1;
    let number = card.submit(Entry::to_card(shared.iova(), STATE, 4096, Some(crc))).unwrap();
    let behind = Entry::to_card(shared.iova(), STATE | 8192, 4096, None);
    card.submit(behind).unwrap();
    match card.wait(number) {
        Err(Error::Entry { status, what, .. }) => {
            assert_eq!(u32::from(status), host_status::CHECKSUM);
            assert!(what.contains("4096 bytes"), "{what}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(card.read32(HOST + host::status::OFFSET).unwrap() & 2, 2, "stopped");
    assert_eq!(card.read32(HOST + host::head::OFFSET).unwrap(), 1, "what is behind does not run");
    card.restart().unwrap();
    let number = card.submit(behind).unwrap();
    card.wait(number).unwrap();
}

fn bad_entries_stop_the_queue(open: Open<'_>) {
    let mut card = card(open);
    let host = card.shared().iova();
    let good = Entry::to_card(host, STATE, 64, None);
    let cases = [
        (Entry { opcode: 0, ..good }, host_status::OPCODE),
        (Entry { opcode: 5, ..good }, host_status::OPCODE),
        (Entry { bytes: 0, ..good }, host_status::SIZE),
        (Entry { bytes: 24, host: 1, ..good }, host_status::SIZE),
        (Entry { bytes: (1 << 30) + 16, ..good }, host_status::SIZE),
        (Entry { host: host + 8, ..good }, host_status::ADDRESS),
        (Entry { card: STATE | 8, ..good }, host_status::ADDRESS),
        (Entry { card: 1 << 40, ..good }, host_status::ADDRESS),
        (Entry { card: STATE | ((1 << 20) - 48), ..good }, host_status::RANGE),
        (Entry { card: 0, ..good }, host_status::RANGE),
        (Entry::from_card(host, (1 << 16) - 48, 64), host_status::RANGE),
    ];
    for (entry, status) in cases {
        let number = card.submit(entry).unwrap();
        match card.wait(number) {
            Err(Error::Entry { status: found, .. }) => {
                assert_eq!(u32::from(found), status, "{entry:?}");
            }
            other => panic!("{entry:?}: {other:?}"),
        }
        assert_eq!(card.read32(HOST + host::error_code::OFFSET).unwrap(), status);
        card.restart().unwrap();
    }
    // More than a ring holds; no entry, so no completion either.
    card.write32(HOST + host::tail::OFFSET, 65).unwrap();
    let begin = Instant::now();
    while card.read32(HOST + host::status::OFFSET).unwrap() != 2 {
        assert!(begin.elapsed() < Duration::from_secs(2), "the queue did not stop");
        card.transport().wait(Duration::from_millis(1)).unwrap();
    }
    assert_eq!(card.read32(HOST + host::error_code::OFFSET).unwrap(), host_status::RING);
}

fn interrupts_come_when_they_are_asked_for(open: Open<'_>) {
    let mut card = card(open);
    let nop = Entry { opcode: opcode::NOP, ..Entry::default() };
    let mut rings = |entry, enabled| {
        card.write32(HOST + host::irq_enable::OFFSET, enabled).unwrap();
        let number = card.submit(entry).unwrap();
        card.ring().unwrap();
        let came = card.transport().wait(Duration::from_millis(300)).unwrap();
        let _ = card.wait(number);
        let status = card.read32(HOST + host::irq_status::OFFSET).unwrap();
        card.write32(HOST + host::irq_status::OFFSET, status).unwrap();
        assert_eq!(card.read32(HOST + host::irq_status::OFFSET).unwrap(), 0, "cleared");
        (came, status)
    };
    let asks = Entry { interrupt: true, ..nop };
    assert_eq!(rings(nop, 3), (false, 0));
    assert_eq!(rings(asks, 3), (true, 1));
    assert_eq!(rings(asks, 2), (false, 1), "not enabled");
    assert_eq!(rings(Entry::default(), 3), (true, 2), "the queue stops");
}

fn a_full_ring_waits(open: Open<'_>) {
    let mut card = card(open);
    let shared = card.shared();
    let mut last = 0;
    for i in 0..300_u32 {
        shared.write(64 * (i % 128) as usize, &[i as u8; 16]).unwrap();
        let at = shared.iova() + 64 * u64::from(i % 128);
        let entry = Entry::to_card(at, STATE | u64::from(16 * i), 16, None);
        last = card.submit(Entry { interrupt: true, ..entry }).unwrap();
    }
    card.wait(last).unwrap();
    let number = card.submit(Entry::from_card(shared.iova(), STATE, 16 * 300)).unwrap();
    card.wait(number).unwrap();
    let mut found = vec![0; 16 * 300];
    shared.read(0, &mut found).unwrap();
    assert!((0..300).all(|i| found[16 * i..][..16] == [i as u8; 16]));
}

fn the_image_is_written_through_the_window_only(open: Open<'_>) {
    let mut card = card(open);
    let host = card.shared().iova();
    card.set_window(4096).unwrap();
    let mut run = |at: u64| {
        let number = card.submit(Entry::to_card(host, at, 16, None)).unwrap();
        let result = card.wait(number);
        card.restart().unwrap();
        result
    };
    run(4080).unwrap();
    assert!(
        matches!(run(4096), Err(Error::Entry { status, .. }) if status == host_status::RANGE as u8)
    );
}

fn a_malformed_pass_is_named(open: Open<'_>) {
    let mut card = card(open);
    for (descriptor, code) in [
        (STATE, ErrorCode::PassMagic),
        (STATE | 8, ErrorCode::PassAddress),
        (1 << 41, ErrorCode::PassAddress),
        (STATE | (1 << 30), ErrorCode::Read),
    ] {
        let number = card.submit(Entry::pass(descriptor)).unwrap();
        match card.wait(number) {
            Err(Error::Pass { code: found, command, .. }) => {
                assert_eq!((found, command), (code as u8, 0), "{descriptor:#x}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(card.read32(registers::error_code::OFFSET).unwrap(), code as u32);
        card.restart().unwrap();
    }
}

fn a_reset_forgets_registers_and_works_again(open: Open<'_>) {
    let mut card = card(open);
    let shared = card.shared();
    // In the middle of a copy.
    card.submit(Entry::to_card(shared.iova(), STATE, 1 << 20, None)).unwrap();
    card.ring().unwrap();
    card.reset().unwrap();
    assert_eq!(card.read32(HOST + host::head::OFFSET).unwrap(), 0);
    assert_eq!(card.read32(HOST + host::load_bytes_lo::OFFSET).unwrap(), 0);
    shared.write(0, &noise(64, 3)).unwrap();
    card.submit(Entry::to_card(shared.iova(), STATE, 64, None)).unwrap();
    let number = card.submit(Entry::from_card(shared.iova() + 64, STATE, 64)).unwrap();
    card.wait(number).unwrap();
    let mut found = [0; 64];
    shared.read(64, &mut found).unwrap();
    assert_eq!(found[..], noise(64, 3));
}

fn nothing_outside_is_touched(open: Open<'_>) {
    let mut card = card(open);
    let shared = card.shared();
    let edge = shared.iova() + shared.bytes() as u64;
    for (entry, status) in [
        (Entry::to_card(edge, STATE, 64, None), host_status::HOST_READ),
        (Entry::from_card(edge - 16, STATE, 32), host_status::HOST_WRITE),
        (Entry::from_card(0, STATE, 32), host_status::HOST_WRITE),
        (Entry::from_card(!15, STATE, 32), host_status::HOST_WRITE),
    ] {
        let number = card.submit(entry).unwrap();
        match card.wait(number) {
            Err(Error::Entry { status: found, .. }) => assert_eq!(u32::from(found), status),
            other => panic!("{entry:?}: {other:?}"),
        }
        card.restart().unwrap();
    }
    // Memory that was taken away is not there any more.
    let extra = card.transport().map(4096).unwrap();
    let read = Entry::to_card(extra.iova, STATE, 64, None);
    let number = card.submit(read).unwrap();
    card.wait(number).unwrap();
    card.transport().unmap(&extra).unwrap();
    let number = card.submit(read).unwrap();
    let refused = card.wait(number);
    assert!(
        matches!(refused, Err(Error::Entry { status, .. }) if status == host_status::HOST_READ as u8)
    );
}

fn images_load(open: Open<'_>) {
    let mut transfer = Transfer::new(Card::open(open(), waits()).unwrap());
    let image = noise(3_000_000 / 4096 * 4096, 4);
    let mut seen = Vec::new();
    transfer.load(&image, 1 << 16, &mut |bytes| seen.push(bytes)).unwrap();
    assert!(seen.is_sorted() && seen.last() == Some(&(image.len() as u64)), "{seen:?}");
    let mut found = vec![0; image.len()];
    transfer.read(0, &mut found).unwrap();
    assert!(found == image, "the image differs");
    let mut state = vec![1; 1 << 16];
    transfer.read(STATE, &mut state).unwrap();
    assert!(state.iter().all(|byte| *byte == 0));
    transfer.write(STATE | 64, &noise(1 << 12, 5)).unwrap();
    let nop = Entry { opcode: opcode::NOP, ..Entry::default() };
    let number = transfer.card().submit(nop).unwrap();
    transfer.card().wait(number).unwrap();
    transfer.read(STATE, &mut state).unwrap();
    assert!(state[64..64 + (1 << 12)] == noise(1 << 12, 5));
    let error = transfer.pass(STATE).unwrap_err();
    assert!(error.to_string().contains("magic"), "{error}");
    transfer.read(STATE, &mut state).unwrap();
}
