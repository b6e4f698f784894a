"""Longest paths of a mapped netlist, in levels of LUTs.

A path goes from a register, a memory, a DSP block or a port to the next one. A LUT is a level, and so is
a chain of carries from where it is entered, an asynchronous read of distributed RAM and a pass through a
DSP block without registers; inverters and the wide multiplexers behind LUTs are none. Hierarchy is no
boundary: instances are flattened here, after mapping.
"""
import re
from collections import namedtuple

# Costs: a level, and a carry cell of a chain.
LEVEL, CARRY = 1000, 1

# A longest path that ends in a unit: levels, carry cells of its chains, where it begins and ends, and the
# cells between, first to last.
Path = namedtuple("Path", "levels carries begin end through")


def letters(pins, prefix):
    """The pins of a prefix, by what follows it."""
    return {pin[len(prefix):]: bits for pin, bits in pins.items() if pin.startswith(prefix)}


def carry(inputs, outputs, chain):
    """Arcs of a carry cell: bit i reaches bit i and those above it, the chain's input all."""
    arcs = []
    for bits in outputs.values():
        for i, out in enumerate(bits):
            enter = [bit for name, pins in inputs.items() if name not in chain for bit in pins[:i + 1]]
            arcs += [(out, LEVEL + CARRY, enter)]
            arcs += [(out, CARRY, [bit for name in chain for bit in inputs.get(name, [])])]
    return arcs


def lutram(inputs, outputs):
    """Arcs of distributed RAM: the address of each read port."""
    reads = {}
    for name, bits in outputs.items():
        if name.startswith("DO") and letters(inputs, "ADDR"):    # RAM32M16, RAM64M8, ...
            reads[name] = inputs.get("ADDR" + name[2], [])
        elif name in ("DPO", "DO"):                               # RAM64X1D, TRELLIS_DPR16X4
            reads[name] = [bit for pin, pins in inputs.items() if re.match(r"DPRA|RAD", pin)
                           for bit in pins]
        else:                                                     # SPO, O, Q
            reads[name] = [bit for pin, pins in inputs.items() if re.fullmatch(r"A\d*", pin)
                           for bit in pins]
    return [(out, LEVEL, reads[name]) for name, bits in outputs.items() for out in bits]


def dsp_registered(cell):
    """Whether a DSP block has registers at its output, and anywhere before."""
    values = {name: str(value) for name, value in cell["parameters"].items()}
    if cell["type"] == "DSP48E2":
        stage = lambda name: bool(int(values.get(name, "1"), 2))
        return stage("PREG"), stage("MREG") or stage("AREG") and stage("BREG")
    stage = lambda name: values.get(f"REG_{name}_CLK", "NONE") != "NONE"
    return stage("OUTPUT"), stage("PIPELINE") or stage("INPUTA") and stage("INPUTB")


def model(cell):
    """What a primitive is for paths: arcs (output, cost, inputs), outputs that begin a path with their
    cost, inputs that end one."""
    directions = cell["port_directions"]
    pins = {name: [bit for bit in bits if isinstance(bit, int)]
            for name, bits in cell["connections"].items()}
    inputs = {name: bits for name, bits in pins.items() if directions[name] == "input"}
    outputs = {name: cell["connections"][name] for name in pins if directions[name] != "input"}
    outputs = {name: [bit for bit in bits if isinstance(bit, int)] for name, bits in outputs.items()}
    kind = cell["type"]
    clocks = r"C" if kind.startswith("FD") else r"\w*CLK\w*|WCK"
    every_in = [bit for name, bits in inputs.items() for bit in bits
                if not re.fullmatch(clocks, name)]
    every_out = [bit for bits in outputs.values() for bit in bits]
    if re.fullmatch(r"LUT\d", kind):
        return [(out, LEVEL, every_in) for out in every_out], [], []
    if re.fullmatch(r"INV|MUXF[789]|PFUMX|L6MUX21", kind):
        return [(out, 0, every_in) for out in every_out], [], []
    if re.fullmatch(r"CARRY[48]", kind):
        whole = {name: cell["connections"][name] for name in (*inputs, *outputs)}
        arcs = carry({name: whole[name] for name in inputs}, {name: whole[name] for name in outputs},
                     ("CI", "CI_TOP", "CYINIT"))
        return [(out, cost, [bit for bit in bits if isinstance(bit, int)])
                for out, cost, bits in arcs if isinstance(out, int)], [], []
    if kind == "CCU2C":
        low = [bit for name in ("A0", "B0", "C0", "D0") for bit in inputs.get(name, [])]
        arcs = [(out, CARRY, inputs.get("CIN", [])) for out in every_out]
        for name, bits in outputs.items():
            enter = low if name == "S0" else [b for b in every_in if b not in inputs.get("CIN", [])]
            arcs += [(out, LEVEL + CARRY, enter) for out in bits]
        return arcs, [], []
    if re.fullmatch(r"RAM\d+X?\w*|SRL\w+|TRELLIS_DPR16X4", kind) and not kind.startswith("RAMB"):
        return lutram(inputs, outputs), [(out, LEVEL) for out in every_out], every_in
    if re.fullmatch(r"DSP48E2|MULT18X18D|ALU54B", kind):
        last, before = dsp_registered(cell)
        if last or before:
            return [], [(out, 0 if last else LEVEL) for out in every_out], every_in
        return [(out, LEVEL, every_in) for out in every_out], [], []
    # Registers and block memories.
    return [], [(out, 0) for out in every_out], every_in


class Graph:
    """The flattened netlist: arcs into every net, where paths begin and where they end.

    `unit_of(module, above)` is the unit of an instance of a module in an instance of unit `above`.
    """

    def __init__(self, modules, top, unit_of, rest):
        self.modules, self.unit_of = modules, unit_of
        self.number = 0
        self.arcs = {}      # net: [(cost, nets, cell)]
        self.begins = {}    # net: (cost, cell)
        self.ends = []      # (net, unit, cell)
        self.models = {name: {cell: model(data) for cell, data in module["cells"].items()
                              if data["type"] not in modules and not data["type"].startswith("$")}
                       for name, module in modules.items()}
        ports = {}
        for name, port in modules[top]["ports"].items():
            for bit in port["bits"]:
                if not isinstance(bit, int):
                    continue
                net = ports.setdefault(bit, self.net())
                if port["direction"] == "input":
                    self.begins[net] = (0, f"port {name}")
                else:
                    self.ends.append((net, "ports", f"port {name}"))
        self.place(top, "", rest, ports)

    def net(self):
        """A new net."""
        self.number += 1
        return self.number

    def place(self, name, path, unit, nets):
        """Adds an instance of a module whose port bits are nets of the design."""
        module = self.modules[name]
        unit = self.unit_of(name, unit)
        get = lambda bit: nets[bit] if bit in nets else nets.setdefault(bit, self.net())
        for cell, (arcs, begins, ends) in self.models[name].items():
            where = (path, name, cell)
            for out, cost, bits in arcs:
                if bits:
                    self.arcs.setdefault(get(out), []).append((cost, [get(b) for b in bits], where))
            for out, cost in begins:
                self.begins[get(out)] = (cost, where)
            self.ends += [(get(bit), unit, where) for bit in ends]
        for cell, data in module["cells"].items():
            child = self.modules.get(data["type"])
            if child is None:
                continue
            ports = {}
            for port, description in child["ports"].items():
                for inner, outer in zip(description["bits"], data["connections"].get(port, [])):
                    if not isinstance(inner, int) or not isinstance(outer, int):
                        continue
                    net = get(outer)
                    known = ports.setdefault(inner, net)
                    if known != net:    # straight through the child, or twice out of it
                        self.arcs.setdefault(net, []).append((0, [known], None))
            self.place(data["type"], f"{path}{cell}.", unit, ports)

    def arrivals(self):
        """For every net that matters: its latest arrival and the arc it comes by."""
        arrival, open_nets = {}, set()
        for end, _, _ in self.ends:
            stack = [end]
            while stack:
                net = stack[-1]
                if net in open_nets:
                    arrival[net] = self.latest(net, arrival)
                    open_nets.discard(net)
                elif net not in arrival:
                    below = [source for _, sources, _ in self.arcs.get(net, [])
                             for source in sources if source not in arrival]
                    if any(source in open_nets for source in below):
                        cell = next(cell for _, _, cell in self.arcs[net] if cell)
                        raise SystemExit(f"a loop of logic through {self.named(cell)}")
                    open_nets.add(net)
                    stack += below
                    continue
                stack.pop()
        return arrival

    def latest(self, net, arrival):
        """The latest arrival at a net whose sources are known: time, source, cell."""
        best = (self.begins[net][0] if net in self.begins else -1), None, None
        for cost, sources, cell in self.arcs.get(net, []):
            source = max(sources, key=lambda other: arrival[other][0])
            if cost == CARRY and not self.driver(source).startswith(("CARRY", "CCU2C")):
                cost += LEVEL    # a chain entered by its first carry
            if (late := arrival[source][0] + cost) > best[0]:
                best = late, source, cell
        return max(best[0], 0), *best[1:]

    def driver(self, net):
        """The type of the cell that drives a net by logic."""
        cell = next((cell for _, _, cell in self.arcs.get(net, []) if cell), None)
        return self.modules[cell[1]]["cells"][cell[2]]["type"] if cell else ""

    def longest(self):
        """The longest path that ends in each unit."""
        arrival, best = self.arrivals(), {}
        for net, unit, cell in self.ends:
            if unit not in best or arrival[net][0] > arrival[best[unit][0]][0]:
                best[unit] = net, cell
        return {unit: self.path(arrival, net, cell) for unit, (net, cell) in best.items()}

    def path(self, arrival, net, end):
        """The path to a net."""
        late, through = arrival[net][0], []
        while arrival[net][1] is not None:
            _, source, cell = arrival[net]
            through += [self.named(cell)] if cell else []
            net = source
        begin = self.begins.get(net, (0, "a constant"))[1]
        return Path(late // LEVEL, late % LEVEL, self.named(begin), self.named(end), through[::-1])

    def named(self, cell):
        """A cell for people: its instance, what it drives, its type."""
        if isinstance(cell, str):
            return cell
        path, module, own = cell
        data, nets = self.modules[module]["cells"][own], self.modules[module]["netnames"]
        driven = {bit for pin, bits in data["connections"].items()
                  if data["port_directions"][pin] == "output" for bit in bits if bit != "x"}
        names = [name for name, net in nets.items()
                 if not net.get("hide_name") and driven.intersection(net["bits"])]
        place = (path + min(names, key=len, default="")).rstrip(".")
        return f"{place} {data['type']}".lstrip()
