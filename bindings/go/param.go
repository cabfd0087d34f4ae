package mlflowgateway

// #include <stddef.h>
import "C"

import (
	"bytes"
	"encoding/json"
	"sort"
	"unicode/utf8"
)

// encode returns the value of a parameter as JSON.
func encode(name string, value any) (string, error) {
	if !isUTF8(value) {
		return "", invalid(`the parameter "` + name + `" is not UTF-8`)
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", &Error{Status: ErrInvalidParam, Message: `parameter "` + name + `": ` + err.Error(), RetryAfter: -1}
	}
	return buffer.String(), nil
}

// isUTF8 returns whether a string or a list of strings is UTF-8. Encoding would replace what is not.
func isUTF8(value any) bool {
	switch value := value.(type) {
	case string:
		return utf8.ValidString(value)
	case []string:
		for _, item := range value {
			if !utf8.ValidString(item) {
				return false
			}
		}
	}
	return true
}

// sortedKeys makes requests with the same contents the same, byte for byte: providers cache by them.
func sortedKeys[V any](values map[string]V) []string {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func cBool(value bool) C.int {
	if value {
		return 1
	}
	return 0
}
