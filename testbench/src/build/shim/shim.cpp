// The C ABI of a Verilated model: made once for all models; ports.inc lists the ports of this one.
#include "Vmodel.h"
#include "verilated.h"
#include "verilated_syms.h"
#if VM_TRACE
#include "lz4.h"
#include "verilated_fst_c.h"
#include "zlib.h"
#endif

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

struct Field {
    const char* name;
    void* data;
    uint64_t bytes;
    uint32_t width;  // bits of a port, of one element of a storage
    uint32_t output;  // of a storage: it can only be read
};

struct Handle {
    VerilatedContext context;
    std::unique_ptr<Vmodel> top;
    std::vector<Field> ports;
    std::vector<Field> storage;
    std::vector<std::string> storage_names;
    std::string text;
    bool stopped = false;
#if VM_TRACE
    std::unique_ptr<VerilatedFstC> fst;
#endif
};

// The model that this thread is evaluating: the simulator's callbacks carry no user pointer.
thread_local Handle* current = nullptr;

void note(const char* file, int line, const char* what) {
    if (!current) return;
    current->stopped = true;
    current->text += std::string{what} + " at " + file + ":" + std::to_string(line) + "\n";
}

enum Outcome : int { kText = 1, kStopped = 2 };

int outcome(const Handle& h) { return (h.text.empty() ? 0 : kText) | (h.stopped ? kStopped : 0); }

}  // namespace

extern "C" int terntable_printf(const char* format, ...) {
    char line[4096];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (current && current->text.size() < (1 << 20)) current->text += line;
    return n;
}

void vl_finish(const char* file, int line, const char*) { note(file, line, "$finish"); }
void vl_stop(const char* file, int line, const char*) { note(file, line, "stopped"); }
void vl_fatal(const char* file, int line, const char*, const char* message) {
    note(file, line, message);
    throw std::runtime_error{message};
}

EXPORT Handle* terntable_new(uint64_t seed) {
    auto h = std::make_unique<Handle>();
    current = h.get();
    h->context.randReset(2);
    h->context.randSeed(static_cast<int>(seed & 0x7fffffff) | 1);
    h->context.traceEverOn(VM_TRACE);
    try {
        h->top = std::make_unique<Vmodel>(&h->context, "TOP");
    } catch (const std::exception&) {
        return nullptr;
    }
    Vmodel* const top = h->top.get();
#define PORT(port, bits, is_output) \
    h->ports.push_back({#port, &top->port, sizeof(top->port), bits, is_output});
#include "ports.inc"
#undef PORT
    if (const VerilatedScopeNameMap* const scopes = h->context.scopeNameMap()) {
        for (const auto& scope : *scopes) {
            if (!scope.second->varsp()) continue;
            for (const auto& variable : *scope.second->varsp()) {
                const VerilatedVar& v = variable.second;
                if (v.isParam()) continue;
                std::string name = std::string{scope.second->name()} + "." + v.name();
                if (name.compare(0, 4, "TOP.") == 0) name.erase(0, 4);
                h->storage_names.push_back(name);
                h->storage.push_back({nullptr, v.datap(), v.totalSize(), v.entBits(), !v.isPublicRW()});
            }
        }
        for (size_t i = 0; i < h->storage.size(); ++i) h->storage[i].name = h->storage_names[i].c_str();
    }
    return h.release();
}

EXPORT void terntable_free(Handle* h) {
    current = h;
    try {
#if VM_TRACE
        if (h->fst) h->fst->close();
#endif
        h->top->final();
    } catch (const std::exception&) {
    }
    delete h;
    current = nullptr;
}

EXPORT int terntable_eval(Handle* h) {
    current = h;
    try {
        h->top->eval();
    } catch (const std::exception&) {
        h->stopped = true;
    }
    return outcome(*h);
}

EXPORT void terntable_time(Handle* h, uint64_t ps) { h->context.time(ps); }

EXPORT const char* terntable_text(Handle* h) { return h->text.c_str(); }
EXPORT void terntable_clear(Handle* h) {
    h->text.clear();
    h->stopped = false;
}

EXPORT uint64_t terntable_ports(Handle* h, const Field** fields) {
    *fields = h->ports.data();
    return h->ports.size();
}
EXPORT uint64_t terntable_storage(Handle* h, const Field** fields) {
    *fields = h->storage.data();
    return h->storage.size();
}

#if VM_TRACE
namespace {
// (from, size, to, room) -> bytes written
using Compress = uint64_t (*)(const uint8_t*, uint64_t, uint8_t*, uint64_t);
Compress compress_lz4 = nullptr;
Compress compress_zlib = nullptr;
}  // namespace

int LZ4_compressBound(int size) { return size + size / 8 + 64; }
int LZ4_compress_default(const char* from, char* to, int size, int room) {
    return static_cast<int>(compress_lz4(reinterpret_cast<const uint8_t*>(from), size,
                                         reinterpret_cast<uint8_t*>(to), room));
}
uLong compressBound(uLong size) { return size + size / 1000 + 128; }
int compress2(Bytef* to, uLongf* room, const Bytef* from, uLong size, int) {
    *room = compress_zlib(from, size, to, *room);
    return *room ? Z_OK : -1;
}

EXPORT void terntable_compressors(Compress lz4, Compress zlib) {
    compress_lz4 = lz4;
    compress_zlib = zlib;
}
EXPORT int terntable_trace_open(Handle* h, const char* path) {
    h->fst = std::make_unique<VerilatedFstC>();
    h->top->trace(h->fst.get(), 99);
    h->fst->open(path);
    return h->fst->isOpen();
}
EXPORT void terntable_trace_dump(Handle* h, uint64_t ps) { h->fst->dump(ps); }
EXPORT void terntable_trace_flush(Handle* h) { h->fst->flush(); }
#endif
