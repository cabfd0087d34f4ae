// Chat chats with a model behind an MLflow AI gateway. Responses are streamed to the terminal.
//
// Each line of standard input is a message. Only the text of the responses is written to standard output. Ctrl-C cancels
// a response; at the prompt it ends the program.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"mime"
	"os"
	"os/signal"
	"path/filepath"

	mlflowgateway "mlflow-ai-gateway/bindings/go"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("chat: ")
	uri := flag.String("u", "", "gateway `URI`; default: $MLFLOW_GATEWAY_URI")
	route := flag.String("r", "chat", "`route` (endpoint)")
	system := flag.String("y", "", "system `message`, for example \"Be concise.\"")
	attach := flag.String("attach", "", "attach an image or a recording, a `file`, to the first message")
	verbose := flag.Bool("v", false, "print the token counts of each response to standard error")
	flag.Parse()

	client, err := mlflowgateway.New(*route, *uri)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	history := &mlflowgateway.Request{}
	if *system != "" {
		history.Messages = append(history.Messages, mlflowgateway.SystemMessage(*system))
	}
	attached, err := read(*attach)
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<30)
	for lines.Scan() {
		if lines.Text() == "" {
			continue
		}
		// A message becomes part of the history together with its response.
		next := *history
		next.Messages = append(next.Messages[:len(next.Messages):len(next.Messages)], mlflowgateway.UserMessage(lines.Text(), attached...))
		response, err := respond(client, &next)
		if err != nil {
			log.Print(err)
		}
		if err != nil && !errors.Is(err, context.Canceled) || response.Text() == "" {
			continue
		}
		if *verbose {
			fmt.Fprintf(os.Stderr, "tokens: input %d, output %d\n", response.Usage.Input, response.Usage.Output)
		}
		next.Messages = append(next.Messages, response.Candidates[0].Message)
		history, attached = &next, nil
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

// respond prints the response, and returns what was received, also with an error.
func respond(client *mlflowgateway.Client, request *mlflowgateway.Request) (*mlflowgateway.Response, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	stream, err := client.Stream(ctx, request)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	for stream.Next() {
		if event := stream.Event(); event.Kind == mlflowgateway.EventText && event.Candidate == 0 {
			fmt.Print(event.Text)
		}
	}
	fmt.Println()
	return stream.Response(), stream.Err()
}

// read returns a file as a part of a message.
func read(name string) ([]mlflowgateway.Part, error) {
	if name == "" {
		return nil, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return []mlflowgateway.Part{{MediaType: mime.TypeByExtension(filepath.Ext(name)), Data: data}}, nil
}
