//! Programs are free of races on units that run side by side.
//!
//! Every pair of commands that touch one resource, one of them writing, must be ordered: by their unit,
//! by waits, or by the stream of sums between a multiply and its consumer.

use crate::rig::{built, random_model};
use terntable_golden::card::{
    command::{Command, Unit, Waits},
    program::{Commands, ProgramKind},
};

/// What a command reads and writes.
fn touches(command: &Command) -> (Vec<String>, Vec<String>) {
    let names = |list: &[&str]| list.iter().map(|s| s.to_string()).collect::<Vec<_>>();
    let bank = |bank: &bool| format!("P{}", u8::from(*bank));
    match command {
        Command::Load { bank: b, .. } => (vec![], vec![bank(b)]),
        Command::LoadRope { .. } => (vec![], names(&["R"])),
        Command::Embed { bank: b, .. } => (vec![bank(b)], names(&["X", "squares"])),
        Command::Residual { bank: b, .. } => {
            ([names(&["X", "step"]), vec![bank(b)]].concat(), names(&["X", "squares"]))
        }
        Command::Gate { bank: b, .. } => {
            ([names(&["step"]), vec![bank(b)]].concat(), names(&["Y", "squares"]))
        }
        Command::Project { kind: 0, .. } => (names(&["R", "step"]), names(&["Y", "Q", "factors"])),
        Command::Project { .. } => (names(&["R", "step"]), names(&["Y", "KV"])),
        Command::Square { bank: b } => {
            ([names(&["Y"]), vec![bank(b)]].concat(), names(&["squares"]))
        }
        Command::Normalise { bank: b, to_queries, .. } => {
            let mut writes = names(&["A", "step"]);
            if *to_queries {
                writes.push("Q".into());
            }
            ([names(&["X", "Y", "squares"]), vec![bank(b)]].concat(), writes)
        }
        Command::Multiply { .. } => (names(&["A"]), vec![]),
        Command::Attend { .. } => (names(&["Q", "factors", "KV"]), names(&["Y"])),
        Command::Screen { .. } => (vec![], names(&["heap"])),
        Command::Score { .. } => (names(&["Q", "step", "heap"]), names(&["ranked"])),
        Command::ScoreAll { .. } => (names(&["Q", "step"]), names(&["ranked", "heap"])),
        Command::Emit {} => (names(&["ranked"]), names(&["results"])),
        _ => (vec![], vec![]),
    }
}

/// A multiply that starts with the norm before it and reads A block by block.
fn follows(waits: Waits, command: &Command) -> bool {
    waits.has(Unit::Vector) && matches!(command, Command::Multiply { follows: true, .. })
}

/// Pairs (earlier, later) that nothing orders.
fn races(commands: &Commands) -> Vec<(usize, usize)> {
    let unit = |i: usize| commands[i].1.info().unit;
    // finished[i][j]: command j is finished when command i starts.
    let mut started_after: Vec<Vec<bool>> = Vec::new();
    // done_after[i][j]: command j is finished when command i is.
    let mut done_after: Vec<Vec<bool>> = Vec::new();
    let mut panels = std::collections::VecDeque::new();
    for (i, (waits, command)) in commands.iter().enumerate() {
        let mut before = vec![false; commands.len()];
        let follows = follows(*waits, command);
        for (j, done) in done_after.iter().enumerate() {
            // The norm has started, and is complete with the multiply that follows it.
            let waited = waits.has(unit(j)) && unit(j) != Unit::Control && !(follows && j + 1 == i);
            let same_unit = unit(j) == unit(i);
            if waited || same_unit || matches!(command, Command::End {}) {
                before.iter_mut().zip(done).for_each(|(b, d)| *b |= d);
            }
        }
        let mut done = before.clone();
        done[i] = true;
        match command {
            Command::Multiply { .. } => {
                panels.push_back(i);
                if follows {
                    before.iter_mut().zip(&started_after[i - 1]).for_each(|(b, s)| *b |= s);
                    done.iter_mut().zip(&done_after[i - 1]).for_each(|(b, d)| *b |= d);
                }
            }
            Command::Residual { .. }
            | Command::Gate { .. }
            | Command::Project { .. }
            | Command::Screen { .. } => {
                // All sums are taken: the multiply has read its activations, and it had started.
                let from: usize = panels.pop_front().unwrap();
                done.iter_mut().zip(&done_after[from]).for_each(|(b, d)| *b |= d);
            }
            _ => {}
        }
        started_after.push(before);
        done_after.push(done);
    }
    let mut races = Vec::new();
    for i in 0..commands.len() {
        let (reads, writes) = touches(&commands[i].1);
        for j in 0..i {
            let (earlier_reads, earlier_writes) = touches(&commands[j].1);
            let meet = |a: &[String], b: &[String]| a.iter().any(|name| b.contains(name));
            let conflict = meet(&writes, &earlier_writes)
                || meet(&writes, &earlier_reads)
                || meet(&reads, &earlier_writes);
            let by_block = j + 1 == i && follows(commands[i].0, &commands[i].1);
            if conflict && !started_after[i][j] && !by_block {
                races.push((j, i));
            }
        }
    }
    races
}

#[test]
fn compiled_programs_have_no_races() {
    for seed in 0..12 {
        let built = built(&random_model(seed), Some(8));
        for kind in ProgramKind::ALL {
            let commands = built.image.commands(kind).unwrap();
            let races = races(&commands);
            let first = races.first().map(|&(j, i)| (commands[j], commands[i]));
            assert!(races.is_empty(), "{}: {first:?}", kind.as_str());
        }
    }
}

/// Each wait that compiled programs have is needed: without it there is a race. Some are implied by
/// others and cost nothing: weights that the row before the last has waited for, and `score` for the
/// norm, which the screen has.
#[test]
fn no_wait_is_idle() {
    let built = built(&random_model(1), Some(8));
    let mut needed = 0;
    for kind in ProgramKind::ALL {
        let commands = built.image.commands(kind).unwrap();
        for i in 0..commands.len() {
            for unit in Unit::ALL {
                let command = &commands[i].1;
                let weights = unit == Unit::Load && !matches!(command, Command::Embed { .. });
                let implied = weights || matches!(command, Command::Score { .. });
                if !commands[i].0.has(unit) || implied {
                    continue;
                }
                let mut without = commands.clone();
                without[i].0.0 &= !(1 << unit as u8);
                assert!(
                    !races(&without).is_empty(),
                    "{:?} need not wait for {unit:?}",
                    commands[i]
                );
                needed += 1;
            }
        }
    }
    assert!(needed > 40, "{needed}");
}

/// The checker itself: without any wait there are races on every buffer.
#[test]
fn programs_without_waits_have_races() {
    let built = built(&random_model(1), Some(8));
    let mut commands = built.image.commands(ProgramKind::TwoStage).unwrap();
    commands.iter_mut().for_each(|(waits, _)| waits.0 = 0);
    let raced: Vec<&str> =
        races(&commands).iter().map(|&(_, i)| commands[i].1.info().name).collect();
    for name in ["load", "normalise", "multiply", "attend", "square"] {
        assert!(raced.contains(&name), "{name} in {raced:?}");
    }
}
