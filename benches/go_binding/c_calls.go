package main

// #cgo CFLAGS: -I${SRCDIR}/../../include
// #include <mlflow_ai_gateway.h>
// #include <stdlib.h>
// #include <string.h>
// #include <time.h>
//
// static double microseconds(void)
// {
//     struct timespec now;
//
//     clock_gettime(CLOCK_MONOTONIC, &now);
//     return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
// }
//
// /* Makes calls, and writes the microseconds of each. Returns how many succeeded with this text. */
// static int measure_calls(mlflow_gateway *gateway, const char *prompt, const char *text, double *times, int calls)
// {
//     int right = 0;
//
//     for (int i = 0; i < calls; i++) {
//         char *got = NULL;
//         double start = microseconds();
//
//         if (mlflow_gateway_call(gateway, prompt, &got, NULL, NULL) == MLFLOW_GATEWAY_OK && strcmp(got, text) == 0)
//             right++;
//         mlflow_gateway_string_free(got);
//         times[i] = microseconds() - start;
//     }
//     return right;
// }
import "C"

import (
	"log"
	"unsafe"
)

// cClient is a handle of C, used without the binding.
type cClient struct {
	gateway      *C.mlflow_gateway
	prompt, text *C.char
}

func newCClient(url, text string) *cClient {
	c := &cClient{prompt: C.CString(prompt), text: C.CString(text)}
	route, uri := C.CString("completions"), C.CString(url)
	maxTokens, temperature := C.CString("max_tokens"), C.CString("temperature")
	for _, s := range []*C.char{route, uri, maxTokens, temperature} {
		defer C.free(unsafe.Pointer(s))
	}
	if C.mlflow_gateway_create(route, uri, &c.gateway, nil) != 0 ||
		C.mlflow_gateway_set_param_int(c.gateway, maxTokens, 8, nil) != 0 ||
		C.mlflow_gateway_set_param_double(c.gateway, temperature, 0, nil) != 0 {
		log.Fatal("cannot create a handle")
	}
	return c
}

// measure makes calls in a loop of C, without crossing from Go to C for each, and returns the microseconds of each call.
func (c *cClient) measure(calls int) []float64 {
	times := make([]float64, calls)
	right := C.measure_calls(c.gateway, c.prompt, c.text, (*C.double)(unsafe.Pointer(&times[0])), C.int(calls))
	if int(right) != calls {
		log.Fatal("a call from C failed")
	}
	return times
}
