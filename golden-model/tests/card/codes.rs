//! Every rule of the sequencer has its error code, at the command that breaks it.

use crate::rig::{Rig, random_model};
use terntable_golden::card::{
    command::{Command, STATE, Waits},
    machine::{CardError, ErrorCode, Machine},
    program::{Commands, ProgramKind, encode},
};

struct Bench {
    rig: Rig,
    descriptor: Vec<u8>,
    commands: Commands,
}

impl Bench {
    fn new() -> Self {
        let mut rig = Rig::new(&random_model(1), Some(8));
        let id = rig.kv.create().unwrap();
        rig.feed(ProgramKind::Pass, id, &[1, 2]);
        rig.reserve(id, 2);
        let mut pass = rig.pass(ProgramKind::TwoStage);
        pass.push_chunk(rig.layout().table(id.0), 2, &[3, 4], |_| true).unwrap();
        let commands = rig.built.image.commands(ProgramKind::TwoStage).unwrap();
        Self { rig, descriptor: pass.encode(), commands }
    }

    /// Index of the first command of a name.
    fn first(&self, name: &str) -> usize {
        self.commands.iter().position(|(_, command)| command.info().name == name).unwrap()
    }

    /// Runs a program, which goes behind the image, and a descriptor, which finds it there unless its
    /// address and size were changed.
    fn run_bytes(&self, program: &[u8], mut descriptor: Vec<u8>) -> Option<CardError> {
        let entry = self.rig.built.image.header.program(ProgramKind::TwoStage);
        let mut image = self.rig.machine.image().to_vec();
        if descriptor[8..16] == entry.address.to_le_bytes() {
            descriptor[8..16].copy_from_slice(&(image.len() as u64).to_le_bytes());
        }
        if descriptor[16..20] == entry.bytes.to_le_bytes() {
            descriptor[16..20].copy_from_slice(&(program.len() as u32).to_le_bytes());
        }
        image.extend(program);
        image.resize(image.len().next_multiple_of(4096), 0);
        let mut machine = Machine::new(&self.rig.card, image, self.rig.machine.state().len());
        machine.state_mut().copy_from_slice(self.rig.machine.state());
        let place = self.rig.layout().descriptor;
        let offset = (place - STATE) as usize;
        machine.state_mut()[offset..offset + descriptor.len()].copy_from_slice(&descriptor);
        machine.run(place).err()
    }

    /// Changes the program; expects a code at a command.
    fn program(&self, code: ErrorCode, change: impl FnOnce(&mut Commands) -> usize) {
        let mut commands = self.commands.clone();
        let command = change(&mut commands);
        let error = self.run_bytes(&encode(&commands).unwrap(), self.descriptor.clone());
        let found = error.map(|error| (error.code, error.command));
        assert_eq!(found, Some((code, command)), "{error:?}");
    }

    /// Changes the first command of a name; expects a code there.
    fn command(&self, code: ErrorCode, name: &str, change: impl FnOnce(&mut Command)) {
        self.program(code, |commands| {
            let index = self.first(name);
            change(&mut commands[index].1);
            index
        });
    }

    /// Changes a word of the descriptor; expects a code.
    fn word(&self, code: ErrorCode, word: usize, value: u32) {
        let mut descriptor = self.descriptor.clone();
        descriptor[4 * word..4 * word + 4].copy_from_slice(&value.to_le_bytes());
        let error = self.run_bytes(&encode(&self.commands).unwrap(), descriptor);
        assert_eq!(error.map(|error| error.code), Some(code), "word {word} = {value:#x}");
    }
}

#[test]
fn the_unchanged_program_runs() {
    let bench = Bench::new();
    let program = encode(&bench.commands).unwrap();
    assert_eq!(bench.run_bytes(&program, bench.descriptor.clone()), None);
}

#[test]
fn descriptors() {
    let bench = Bench::new();
    bench.word(ErrorCode::PassMagic, 0, 1);
    bench.word(ErrorCode::PassSlots, 1, 0);
    bench.word(ErrorCode::PassSlots, 1, 5);
    bench.word(ErrorCode::PassAddress, 2, 4);
    bench.word(ErrorCode::PassAddress, 3, 0x100);
    bench.word(ErrorCode::PassAddress, 6, 8);
    bench.word(ErrorCode::PassAddress, 9, 0x1ff);
    bench.word(ErrorCode::PassProgram, 4, 0);
    bench.word(ErrorCode::PassProgram, 4, 100);
    bench.word(ErrorCode::PassProgram, 4, 1 << 22);
    bench.word(ErrorCode::Read, 3, 0x7f);
    bench.word(ErrorCode::NoEnd, 4, 128);
    // Slot 0: token, position, row, history, flags, page table.
    bench.word(ErrorCode::Slot, 16, 1 << 20);
    bench.word(ErrorCode::Size, 17, 96);
    bench.word(ErrorCode::Slot, 18, 40 * 8);
    bench.word(ErrorCode::PassSlot, 19, 1);
    bench.word(ErrorCode::PassSlot, 21, 3);
    bench.word(ErrorCode::PassSlot, 22, 2);
    bench.word(ErrorCode::PassSlot, 23, 0x180);
    bench.word(ErrorCode::Read, 22, 0xffff_fff0);
    // Both slots see more rows than all pages hold.
    let mut long = bench.descriptor.clone();
    for slot in [1, 2] {
        long[64 * slot + 12..64 * slot + 16].copy_from_slice(&(40 * 8 + 1_u32).to_le_bytes());
    }
    let program = encode(&bench.commands).unwrap();
    let error = bench.run_bytes(&program, long);
    assert_eq!(error.unwrap().code, ErrorCode::Slot);
}

#[test]
fn places() {
    let bench = Bench::new();
    bench.program(ErrorCode::NoBegin, |commands| {
        commands.remove(0);
        0
    });
    bench.program(ErrorCode::Begin, |commands| {
        commands.insert(1, commands[0]);
        1
    });
    bench.program(ErrorCode::NoEnd, |commands| {
        commands.pop();
        commands.len()
    });
    bench.program(ErrorCode::AfterEnd, |commands| {
        commands.push((Waits::NONE, Command::Square { bank: false }));
        commands.len() - 2
    });
    bench.program(ErrorCode::Wait, |commands| {
        commands[3].0 = Waits(0x40);
        3
    });
    let mut bytes = encode(&bench.commands).unwrap();
    bytes[64 * 4] = 0x99;
    let error = bench.run_bytes(&bytes, bench.descriptor.clone()).unwrap();
    assert_eq!((error.code, error.command), (ErrorCode::Opcode, 4));
}

macro_rules! set {
    ($variant:ident . $field:ident = $value:expr) => {
        |command: &mut Command| match command {
            Command::$variant { $field, .. } => *$field = $value,
            other => panic!("{other:?}"),
        }
    };
}

#[test]
fn begins() {
    let bench = Bench::new();
    bench.command(ErrorCode::Magic, "begin", set!(Begin.magic = 0));
    bench.command(ErrorCode::Version, "begin", set!(Begin.version = 1));
    bench.command(ErrorCode::Hash, "begin", set!(Begin.config_hash = 0));
    bench.command(ErrorCode::Model, "begin", set!(Begin.hidden = 0));
    bench.command(ErrorCode::Model, "begin", set!(Begin.hidden = 60_000));
    bench.command(ErrorCode::Model, "begin", set!(Begin.ffn = 60_000));
    bench.command(ErrorCode::Model, "begin", set!(Begin.heads = 9));
    bench.command(ErrorCode::Model, "begin", set!(Begin.kv_heads = 3));
    bench.command(ErrorCode::Model, "begin", set!(Begin.head_dim = 24));
    bench.command(ErrorCode::Model, "begin", set!(Begin.head_dim = 128));
    bench.command(ErrorCode::Model, "begin", set!(Begin.kv_bits = 5));
    bench.command(ErrorCode::Model, "begin", set!(Begin.pages = 0));
    bench.command(ErrorCode::Model, "begin", set!(Begin.head_bytes = 16));
    bench.command(ErrorCode::Model, "begin", set!(Begin.page_bytes = 16));
    bench.command(ErrorCode::Slot, "begin", set!(Begin.vocab = 4));
}

#[test]
fn sizes() {
    let bench = Bench::new();
    let hidden = random_model(1).config.hidden as u32;
    bench.command(ErrorCode::Size, "load", set!(Load.columns = 0));
    bench.command(ErrorCode::Size, "load", set!(Load.columns = 512 * 4 + 1));
    bench.command(ErrorCode::Size, "load_rope", set!(LoadRope.positions = 3));
    bench.command(ErrorCode::Size, "residual", set!(Residual.first_row = 2));
    bench.command(ErrorCode::Size, "residual", set!(Residual.rows = hidden + 1));
    bench.command(ErrorCode::Size, "gate", set!(Gate.first_row = 60_000));
    bench.command(ErrorCode::Size, "project", set!(Project.kind = 3));
    bench.command(ErrorCode::Size, "project", set!(Project.first_head = 9));
    bench.command(ErrorCode::Size, "normalise", set!(Normalise.source = 3));
    bench.command(ErrorCode::Size, "multiply", set!(Multiply.tiles = 0));
    bench.command(ErrorCode::Size, "multiply", set!(Multiply.tiles = 513));
    bench.command(ErrorCode::Size, "multiply", set!(Multiply.blocks = 0));
    bench.command(ErrorCode::Size, "multiply", set!(Multiply.blocks = 129));
    bench.command(ErrorCode::Size, "screen", set!(Screen.first_token = 1 << 20));
    bench.program(ErrorCode::Size, |commands| {
        let index = bench.first("multiply");
        let Command::Multiply { two_planes, tiles, .. } = &mut commands[index].1 else { panic!() };
        (*two_planes, *tiles) = (true, 3);
        index
    });
    bench.program(ErrorCode::Size, |commands| {
        let index = bench.first("square") + 1;
        let Command::Normalise { to_queries, .. } = &mut commands[index].1 else { panic!() };
        *to_queries = true;
        index
    });
    bench.program(ErrorCode::Size, |commands| {
        commands.insert(1, (Waits::NONE, Command::Check { address: 0, pages: 0, crcs: 0 }));
        1
    });
}

#[test]
fn addresses() {
    let bench = Bench::new();
    bench.command(ErrorCode::Address, "load", set!(Load.address = 8));
    bench.command(ErrorCode::Address, "embed", set!(Embed.address = 1));
    bench.command(ErrorCode::Address, "screen", set!(Screen.weights = 2));
    bench.command(ErrorCode::Address, "attend", set!(Attend.kv_base = STATE | 4));
    bench.command(ErrorCode::Read, "multiply", set!(Multiply.address = 1 << 38));
    bench.command(ErrorCode::Read, "load", set!(Load.address = STATE - 16));
    // Reserved bits above the first address.
    let mut bytes = encode(&bench.commands).unwrap();
    let index = bench.first("load");
    bytes[64 * index + 11] = 1;
    let error = bench.run_bytes(&bytes, bench.descriptor.clone()).unwrap();
    assert_eq!((error.code, error.command), (ErrorCode::Address, index));
    // Keys and values go to the state region only; queries go nowhere.
    bench.program(ErrorCode::Address, |commands| {
        let is_key = |command: &Command| matches!(command, Command::Project { kind: 1, .. });
        let index = commands.iter().position(|(_, command)| is_key(command)).unwrap();
        set!(Project.kv_base = 0)(&mut commands[index].1);
        index
    });
    let outside = (bench.rig.layout().state_bytes | STATE).next_multiple_of(16);
    bench.program(ErrorCode::Write, |commands| {
        let is_key = |command: &Command| matches!(command, Command::Project { kind: 1, .. });
        let index = commands.iter().position(|(_, command)| is_key(command)).unwrap();
        set!(Project.kv_base = outside)(&mut commands[index].1);
        index
    });
}

#[test]
fn panels() {
    let bench = Bench::new();
    let multiply = bench.first("multiply");
    let mut another = bench.commands[multiply];
    set!(Multiply.follows = false)(&mut another.1);
    bench.program(ErrorCode::Panel, |commands| {
        commands.insert(multiply, commands[bench.first("project")]);
        multiply
    });
    bench.program(ErrorCode::Panel, |commands| {
        set!(Multiply.to_head = true)(&mut commands[multiply].1);
        bench.first("project")
    });
    bench.program(ErrorCode::Panel, |commands| {
        let Command::Multiply { tiles, .. } = &mut commands[multiply].1 else { panic!() };
        *tiles += 1;
        bench.first("project")
    });
    bench.command(ErrorCode::Panel, "gate", set!(Gate.rows = 1));
    bench.command(ErrorCode::Panel, "screen", set!(Screen.rows = 1));
    bench.program(ErrorCode::Panels, |commands| {
        for _ in 0..4 {
            commands.insert(multiply + 1, another);
        }
        multiply + 4
    });
    bench.program(ErrorCode::Wait, |commands| {
        for _ in 0..3 {
            commands.insert(multiply + 1, another);
        }
        commands[multiply + 3].0 = Waits(2);
        multiply + 3
    });
    // A multiply that follows stands behind a normalise and waits for it.
    bench.program(ErrorCode::Wait, |commands| {
        commands[multiply].0 = Waits::NONE;
        multiply
    });
    bench.program(ErrorCode::Wait, |commands| {
        commands.swap(multiply, multiply + 1);
        multiply + 1
    });
    bench.program(ErrorCode::PanelLeft, |commands| {
        let end = commands.len() - 1;
        commands.insert(end, another);
        end + 1
    });
    // A page number outside the cache: keys are not written, attention does not stream.
    let mut bench = bench;
    let table = (bench.rig.layout().table(0) - STATE) as usize;
    bench.rig.machine.state_mut()[table..table + 4].copy_from_slice(&40_u32.to_le_bytes());
    let program = encode(&bench.commands).unwrap();
    let error = bench.run_bytes(&program, bench.descriptor.clone()).unwrap();
    assert_eq!(error.code, ErrorCode::Page);
    let Command::Project { kind, .. } = bench.commands[error.command].1 else { panic!("{error}") };
    assert_eq!(kind, 1, "the first that writes to the cache");
}

#[test]
fn checksums() {
    let rig = Rig::new(&random_model(1), None);
    let mut image = rig.machine.image().to_vec();
    image[5 * 4096 + 7] ^= 4;
    let mut machine = Machine::new(&rig.card, image, rig.machine.state().len());
    let mut pass = rig.pass(ProgramKind::Check);
    pass.push_chunk(rig.layout().table(0), 0, &[0], |_| false).unwrap();
    let bytes = pass.encode();
    machine.state_mut()[..bytes.len()].copy_from_slice(&bytes);
    let error = machine.run(rig.layout().descriptor).unwrap_err();
    assert_eq!((error.code, error.address), (ErrorCode::Checksum, 5 * 4096));
    assert_eq!(ErrorCode::of(error.code as u8), Some(error.code));
    assert!(error.to_string().contains("0x32"), "{error}");
}
