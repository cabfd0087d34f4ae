//go:build go1.23

package mlflowgateway

import (
	"errors"
	"testing"
)

func TestEventsIteratesAndCloses(t *testing.T) {
	s := newServer(t, echo)
	for name, open := range openers(t, newClient(t, s.URL)) {
		stream, err := open(background, chat("a"))
		if err != nil {
			t.Fatal(name, err)
		}
		text := ""
		for event, err := range stream.Events() {
			if err != nil {
				t.Error(name, err)
			}
			if event.Kind == EventText {
				text += event.Text
			}
		}
		if text != "echo: a" {
			t.Error(name, text)
		}

		stream, err = open(background, chat("half"))
		if err != nil {
			t.Fatal(name, err)
		}
		for event := range stream.Events() {
			if event.Text != "echo: " {
				t.Error(name, event)
			}
			break
		}
		if stream.Next() || !errors.Is(stream.Err(), ErrClosed) {
			t.Error(name, "is not closed after the loop")
		}

		stream, err = open(background, chat("cut"))
		if err != nil {
			t.Fatal(name, err)
		}
		var last error
		for _, err := range stream.Events() {
			last = err
		}
		if !errors.Is(last, ErrStreamTruncated) {
			t.Error(name, last)
		}
	}
}
