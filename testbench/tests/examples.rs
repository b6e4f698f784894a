//! The examples of `docs/testbench.md`, so that they stay true.

use terntable_golden::{
    pack::{self, Geometry},
    ternary::Ternary,
};
use terntable_testbench::{
    Error, Sim,
    agents::MemoryTiming,
    build::ModelSpec,
    engine::{EngineParams, EngineSim, Job},
    sim::SimOptions,
    with_timeout,
};

#[test]
fn the_engine_multiplies() {
    let params = EngineParams::SIM_SMALL;
    let mut engine = EngineSim::new(params, MemoryTiming::IDEAL, None).unwrap();
    let (rows, cols) = (8, 46);
    let matrix = Ternary::new(rows, cols, vec![1; rows * cols], 1.0).unwrap();
    let address = engine.load(pack::pack_panel(&Geometry::SIM_SMALL, &matrix, 0, rows));
    let activations = params.activations(&[&vec![3; cols]]);
    let (tiles, blocks) = (params.tiles(rows), params.blocks(cols));
    let job = Job { address, tiles, blocks, slots: 1, activations: &activations };
    let sums = engine.run_jobs(&[job]).unwrap();
    assert_eq!(sums[0].slot(0)[..rows], [3 * 46; 8]);
}

#[test]
fn any_module_will_do() -> Result<(), Error> {
    let built = ModelSpec::terntable("tt_fifo").parameter("Width", 32).build()?;
    let sim = Sim::open(&built, &SimOptions::default())?;
    let clock = sim.clock("clk_i", 4000)?;
    sim.block_on(clock.cycles(2))?;
    sim.signal("rst_ni")?.set(1);
    let (write, read) = (sim.signal("valid_i")?, sim.signal("valid_o")?);
    sim.signal("data_i")?.set(0xcafe);
    write.set(1);
    let word = sim.block_on(with_timeout(&clock, 10, "a word", async {
        while !read.high() {
            clock.rising_edge().await;
        }
        sim.signal("data_o").map(|data| data.get())
    }))???;
    assert_eq!(word, 0xcafe);
    Ok(())
}
