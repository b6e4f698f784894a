// Forced into every compilation: what the design prints goes to the shim, not to stdout.
#pragma once
extern "C" int terntable_printf(const char* format, ...);
#define VL_PRINTF terntable_printf
