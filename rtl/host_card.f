// The files of tt_host_card in the order of their dependence, relative to this file.
-F card.f
registers/tt_host_regs_pkg.sv
host/tt_host_pkg.sv
memory/tt_axi_order.sv
memory/tt_axi_turns.sv
memory/tt_axi_join.sv
host/tt_host_bar.sv
host/tt_host_messages.sv
registers/tt_host_regs.sv
host/tt_host_control.sv
host/tt_host_check.sv
host/tt_host_walk.sv
host/tt_host_copy.sv
host/tt_host_queue.sv
host/tt_host_ring.sv
host/tt_host_dma.sv
host/tt_host_card.sv
