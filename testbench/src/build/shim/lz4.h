// The two functions of LZ4 that Verilator's FST writer calls; the shim hands them to Rust.
#pragma once
extern "C" {
int LZ4_compressBound(int size);
int LZ4_compress_default(const char* from, char* to, int size, int room);
}
