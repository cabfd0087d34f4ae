// Go's net/http: one client with a kept-alive connection.
//
// usage: bench_go URL CALLS
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	warmUp = 100
	body   = `{"prompt":"The capital of Finland is","max_tokens":8,"temperature":0.0}`
	text   = " Helsinki, a city of about 690,000 people now."
)

type completion struct {
	Choices []struct {
		Text string `json:"text"`
	} `json:"choices"`
}

func call(client *http.Client, url string) {
	request, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	content, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		log.Fatal(err)
	}
	var parsed completion
	if err := json.Unmarshal(content, &parsed); err != nil {
		log.Fatal(err)
	}
	if response.StatusCode != 200 || len(parsed.Choices) == 0 || parsed.Choices[0].Text != text {
		log.Fatalf("wrong response: %s", content)
	}
}

func main() {
	url := os.Args[1] + "/endpoints/completions/invocations"
	calls, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Timeout: 5 * time.Minute}
	for i := 0; i < warmUp; i++ {
		call(client, url)
	}
	start := time.Now()
	for i := 0; i < calls; i++ {
		call(client, url)
	}
	fmt.Printf("{\"seconds\": %.9f, \"calls\": %d}\n", time.Since(start).Seconds(), calls)
}
