// The two functions of zlib that Verilator's FST writer calls; the shim hands them to Rust.
#pragma once
typedef unsigned long uLong;
typedef unsigned long uLongf;
typedef unsigned char Bytef;
#define Z_OK 0
extern "C" {
uLong compressBound(uLong size);
int compress2(Bytef* to, uLongf* room, const Bytef* from, uLong size, int level);
}
