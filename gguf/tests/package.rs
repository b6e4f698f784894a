//! Files that the `gguf` Python package wrote (`scripts/gguf/fixtures.py`): what we read is what the
//! package reads, bit for bit.

use std::path::{Path, PathBuf};
use terntable_gguf::{Dialect, ElementType, Gguf, Kind, Value, q8_0, tq2_0};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn rows(gguf: &Gguf, name: &str) -> Vec<f32> {
    let tensor = gguf.tensor(name).unwrap_or_else(|| panic!("{name}"));
    gguf.rows(tensor, 0..tensor.rows()).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn every_type_dequantises_as_the_package_does() {
    for (file, names) in [
        ("types.gguf", &["F32", "F16", "BF16", "Q8_0", "Q4_K", "Q6_K", "TQ1_0", "TQ2_0"][..]),
        ("i2_s.gguf", &["I2_S"]),
    ] {
        let gguf = Gguf::open(&fixture(file)).unwrap();
        for name in names {
            let tensor = gguf.tensor(name).unwrap();
            assert_eq!(tensor.element.name(), *name);
            let (ours, expected) = (rows(&gguf, name), rows(&gguf, &format!("{name}.expected")));
            assert!(expected.iter().any(|v| *v != expected[0]), "{name}: nothing to compare");
            assert_eq!(bits(&ours), bits(&expected), "{name}");
            let last = gguf.rows(tensor, tensor.rows() - 1..tensor.rows()).unwrap();
            assert_eq!(bits(&last), bits(&expected[expected.len() - last.len()..]), "{name}");
        }
    }
}

#[test]
fn quantised_ternary_rows_come_back_as_trits() {
    let gguf = Gguf::open(&fixture("types.gguf")).unwrap();
    for name in ["TQ1_0", "TQ2_0"] {
        let trits = gguf.trits(gguf.tensor(&format!("{name}.quantised")).unwrap()).unwrap();
        let source = rows(&gguf, &format!("{name}.source"));
        let scale = source.iter().copied().fold(0.0, f32::max);
        assert!((trits.scale / scale - 1.0).abs() < 1.0 / 2048.0, "{name}: {}", trits.scale);
        for (weight, source) in trits.weights.iter().zip(&source) {
            assert_eq!(f32::from(*weight) * scale, *source, "{name}");
        }
    }
    let gguf = Gguf::open(&fixture("i2_s.gguf")).unwrap();
    let trits = gguf.trits(gguf.tensor("I2_S").unwrap()).unwrap();
    let real: Vec<f32> = trits.weights.iter().map(|w| f32::from(*w) * trits.scale).collect();
    assert_eq!(bits(&real), bits(&rows(&gguf, "I2_S.expected")));
    let plain = gguf.trits(gguf.tensor("I2_S.expected").unwrap()).unwrap();
    assert_eq!(plain, trits);
}

#[test]
fn our_blocks_are_those_of_the_package() {
    let gguf = Gguf::open(&fixture("types.gguf")).unwrap();
    let trits = gguf.trits(gguf.tensor("TQ2_0.quantised").unwrap()).unwrap();
    let ours = tq2_0(&trits.weights, trits.scale);
    let theirs = gguf.bytes(gguf.tensor("TQ2_0.quantised").unwrap()).unwrap();
    // The package gives a block of zeros the scale 0; ours have the matrix's.
    for (at, (ours, theirs)) in ours.chunks(66).zip(theirs.chunks(66)).enumerate() {
        assert_eq!(ours[..64], theirs[..64], "block {at}");
        let zeros = theirs[..64].iter().all(|b| *b == 0b0101_0101);
        assert!(zeros || ours[64..] == theirs[64..], "block {at}");
    }
    let source = rows(&gguf, "Q8_0.source");
    assert_eq!(q8_0(&source), gguf.bytes(gguf.tensor("Q8_0.quantised").unwrap()).unwrap());
}

#[test]
fn scales_that_differ_are_refused_by_name() {
    let gguf = Gguf::open(&fixture("types.gguf")).unwrap();
    let error = gguf.trits(gguf.tensor("TQ2_0.blocks").unwrap()).unwrap_err().to_string();
    for part in ["types.gguf", "TQ2_0.blocks", "one scale a matrix", "convert"] {
        assert!(error.contains(part), "{error}");
    }
    let error = gguf.trits(gguf.tensor("Q6_K").unwrap()).unwrap_err().to_string();
    assert!(error.contains("Q6_K") && error.contains("TQ2_0"), "{error}");
    let error = gguf.trits(gguf.tensor("F32").unwrap()).unwrap_err().to_string();
    assert!(error.contains("-s, 0 and s"), "{error}");
}

#[test]
fn keys_of_every_type() {
    let gguf = Gguf::open(&fixture("keys.gguf")).unwrap();
    assert_eq!((gguf.version(), gguf.alignment()), (3, 64));
    let value = |key: &str| gguf.keys().find(|(k, _)| *k == key).unwrap().1.clone();
    assert_eq!(value("a.u8"), Value::U8(255));
    assert_eq!(value("a.i8"), Value::I8(-128));
    assert_eq!(value("a.u16"), Value::U16(65535));
    assert_eq!(value("a.i16"), Value::I16(-32768));
    assert_eq!(value("a.u32"), Value::U32(u32::MAX));
    assert_eq!(value("a.i32"), Value::I32(i32::MIN));
    assert_eq!(value("a.u64"), Value::U64(u64::MAX));
    assert_eq!(value("a.i64"), Value::I64(i64::MIN));
    assert_eq!(value("a.f32"), Value::F32(1.5));
    assert_eq!(value("a.f64"), Value::F64(-2.25));
    assert_eq!(gguf.boolean("a.bool").unwrap(), Some(true));
    assert_eq!(gguf.string("a.string").unwrap(), Some("Grüße, 世界"));
    assert_eq!(gguf.strings("a.strings").unwrap().unwrap(), ["", "a b", "ü"]);
    assert_eq!(gguf.reals("a.reals").unwrap().unwrap(), [0.5, -1.0]);
    let Value::Array(bools) = value("a.bools") else { panic!() };
    assert_eq!((bools.kind(), bools.count()), (Kind::Bool, 2));
    let Value::Array(integers) = value("a.integers") else { panic!() };
    let integers: Vec<Value> = integers.as_values().unwrap().collect();
    assert_eq!(integers, [1, -2, 3].map(Value::I32));
    assert_eq!(rows(&gguf, "first"), [0.0, 1.0, 2.0]);
    let second = gguf.tensor("second").unwrap();
    assert_eq!((second.cols(), second.rows(), second.element), (4, 2, ElementType::F16));
    assert_eq!(gguf.rows(second, 1..2).unwrap(), [4.0, 5.0, 6.0, 7.0]);
    // A key of another type is refused, one that is not there is none.
    assert!(gguf.unsigned("a.string").unwrap_err().to_string().contains("a.string"));
    assert_eq!(gguf.unsigned("a.nothing").unwrap(), None);
}

#[test]
fn dialects() {
    let of = |file| Gguf::open(&fixture(file)).unwrap().dialect().0;
    assert_eq!(of("types.gguf"), Dialect::LlamaCpp);
    assert_eq!(of("keys.gguf"), Dialect::LlamaCpp);
    assert_eq!(of("i2_s.gguf"), Dialect::BitNetFork);
}
