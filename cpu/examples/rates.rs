use std::time::Instant;
use terntable_cpu::{
    level::Level,
    multiply::{Activations, band},
    tile::Shape,
};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let rows: usize = args[1].parse().unwrap();
    let cols: usize = args[2].parse().unwrap();
    let mib: usize = args[3].parse().unwrap();
    let shape = Shape { rows, cols };
    let n = if mib == 0 { 1 } else { (mib << 20) / shape.bytes() };
    let len = n * shape.bytes();
    let file = args.get(4).is_some_and(|a| a == "file");
    let mut seed = 1u64;
    let mut fill = |b: &mut [u8]| {
        for b in b {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *b = ((seed >> 33) % 243) as u8;
        }
    };
    let map = if file {
        let p = "/work/scratch/rates.bin";
        if std::fs::metadata(p).map(|m| m.len() as usize != len).unwrap_or(true) {
            let mut v = vec![0u8; len];
            fill(&mut v);
            std::fs::write(p, v).unwrap();
        }
        let f = std::fs::File::open(p).unwrap();
        unsafe { memmap2::MmapOptions::new().populate().map(&f).unwrap() }
    } else {
        let mut m = memmap2::MmapOptions::new().len(len).map_anon().unwrap();
        m.advise(memmap2::Advice::HugePage).unwrap();
        fill(&mut m);
        m.make_read_only().unwrap()
    };
    let reps = if mib == 0 { 40 } else { 7 };
    // read only
    let mut best = f64::MAX;
    for _ in 0..reps {
        let t = Instant::now();
        let s = Level::Avx512.run(|| sum(&map));
        std::hint::black_box(s);
        best = best.min(t.elapsed().as_secs_f64());
    }
    println!("read {:.1} GB/s", len as f64 / best / 1e9);
    for level in Level::available() {
        for slots in [1, 2, 3, 4, 6, 8, 16, 128] {
            if level != Level::Avx512 && slots > 2 {
                continue;
            }
            let mut x = Activations::new(cols, slots);
            for s in 0..slots {
                x.push(|r| {
                    for (i, v) in r.iter_mut().enumerate() {
                        *v = (i * 7 + s * 13) as i8;
                    }
                    1.0
                });
            }
            let reps = if slots > 8 { 3 } else { reps };
            let mut best = f64::MAX;
            let mut times = vec![];
            for _ in 0..reps {
                let t = Instant::now();
                let mut total = 0i64;
                for bytes in map.chunks_exact(shape.band_bytes()) {
                    band(level, bytes, &x, |_, s| total += i64::from(s[3]));
                }
                std::hint::black_box(total);
                let e = t.elapsed().as_secs_f64();
                times.push(e);
                best = best.min(e);
            }
            times.sort_by(f64::total_cmp);
            let w = (rows * cols * n * slots) as f64;
            println!(
                "{:8} slots {slots:3}: best {:.1} Gmac/s median {:.1}; {:.1} GB/s; {:.2} of 64/cycle at 3.66",
                level.as_str(),
                w / best / 1e9,
                w / times[times.len() / 2] / 1e9,
                len as f64 / best / 1e9,
                w / best / 1e9 / (64.0 * 3.66)
            );
        }
    }
}
#[inline(always)]
fn sum(b: &[u8]) -> u64 {
    let mut a = [0u64; 32];
    for c in b.chunks_exact(256) {
        for i in 0..32 {
            a[i] ^= u64::from_le_bytes(c[i * 8..i * 8 + 8].try_into().unwrap());
        }
    }
    a.iter().fold(0, |x, y| x ^ y)
}
