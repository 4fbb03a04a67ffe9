package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"example/webhooks"
)

func read(field string) []byte {
	if field == "-" {
		return nil
	}
	decoded, err := base64.StdEncoding.DecodeString(field)
	if err != nil {
		panic(err)
	}
	return decoded
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		headers := http.Header{}
		headers.Set("Webhook-Id", string(read(fields[1])))
		headers.Set("Webhook-Timestamp", string(read(fields[2])))
		headers.Set("Webhook-Signature", string(read(fields[3])))
		now, err := strconv.ParseInt(fields[5], 10, 64)
		if err != nil {
			panic(err)
		}
		if webhooks.Verify(string(read(fields[0])), headers, read(fields[4]), time.Unix(now, 0)) {
			fmt.Println("ok")
		} else {
			fmt.Println("no")
		}
	}
}
