//go:build cgo && go1.23

package mlflowgateway

import "iter"

// Events returns an iterator over the events that are left, and closes the stream after the last one, or when the loop
// ends early. An error is the last element.
//
//	for event, err := range stream.Events() {
//		if err != nil {
//			return err
//		}
//		if event.Kind == EventText {
//			fmt.Print(event.Text)
//		}
//	}
func (s *Stream) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		defer s.Close()
		for s.Next() {
			if !yield(s.Event(), nil) {
				return
			}
		}
		if err := s.Err(); err != nil {
			yield(Event{}, err)
		}
	}
}
