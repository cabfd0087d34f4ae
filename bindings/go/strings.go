package mlflowgateway

// #include <stddef.h>
import "C"

import (
	"strings"
	"unsafe"
)

// chars returns the bytes of a string for the duration of one call of C. C reads them together with length.
func chars(s string) *C.char {
	return *(**C.char)(unsafe.Pointer(&s)) // The first word of a string points to its bytes.
}

func length(s string) C.size_t {
	return C.size_t(len(s))
}

// terminated returns a string that ends with a NUL byte, for functions of C without a length. what names it in the
// error that it returns for a string that contains a NUL byte.
func terminated(what, s string) (string, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return "", invalid("the " + what + " contains a NUL byte")
	}
	return s + "\x00", nil
}

func goString(text *C.char, length C.size_t) string {
	return string(unsafe.Slice((*byte)(unsafe.Pointer(text)), int(length)))
}

func goBytes(data *C.char, length C.size_t) []byte {
	if data == nil {
		return nil
	}
	return append([]byte{}, unsafe.Slice((*byte)(unsafe.Pointer(data)), int(length))...)
}
