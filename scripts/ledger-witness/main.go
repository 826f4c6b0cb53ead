// A witness after c2sp.org/tlog-witness for tests: the log's signature and the consistency of its trees are checked by
// golang.org/x/mod/sumdb (note and tlog), code that Sallyport's authors did not write. It remembers in memory alone: for
// production run litewitness or omniwitness.
//
//	apt-get install golang-go golang-golang-x-mod-dev
//	GO111MODULE=off GOPATH=/usr/share/gocode go run scripts/ledger-witness/main.go <name> <file with the log's vkey>
//
// Prints its verifier key and its address, then one line per request: the status it answered, old size, new size. With a
// third argument, `receipts`, it is no witness but checks the tlog-proofs (c2sp.org/tlog-proof) that follow.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type tree struct {
	size int64
	root tlog.Hash
}

func must(err error) {
	if err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
}

func verifiers(file string) note.Verifiers {
	keys, err := os.ReadFile(file)
	must(err)
	var list []note.Verifier
	for _, line := range strings.Fields(string(keys)) {
		v, err := note.NewVerifier(line)
		must(err)
		list = append(list, v)
	}
	return note.VerifierList(list...)
}

func parse(text string) (tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return tree{}, fmt.Errorf("a checkpoint has three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tree{size, root}, err
}

func hashes(lines []string) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, line := range lines {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

// judge answers a request: the status, the old size it named, and the tree it asks to have cosigned.
func judge(body []byte, log note.Verifiers, last tree) (status int, old int64, text string, now tree) {
	end := bytes.Index(body, []byte("\n\n"))
	if end < 0 {
		return 400, 0, "", now
	}
	lines := strings.Split(string(body[:end]), "\n")
	if _, err := fmt.Sscanf(lines[0], "old %d", &old); err != nil {
		return 400, 0, "", now
	}
	opened, err := note.Open(body[end+2:], log)
	if err != nil {
		return 403, old, "", now
	}
	now, err = parse(opened.Text)
	if err != nil || now.size < old {
		return 400, old, "", now
	}
	if old != last.size {
		return 409, old, "", now
	}
	proof, err := hashes(lines[1:])
	if err != nil {
		return 400, old, "", now
	}
	if old == now.size && (len(proof) > 0 || (old > 0 && last.root != now.root)) {
		return 409, old, "", now
	}
	if old > 0 && old < now.size && tlog.CheckTree(proof, now.size, now.root, old, last.root) != nil {
		return 422, old, "", now
	}
	return 200, old, opened.Text, now
}

func receipts(log note.Verifiers, files []string) {
	for _, file := range files {
		bytes, err := os.ReadFile(file)
		must(err)
		parts := strings.SplitN(string(bytes), "\n\n", 2)
		lines := strings.Split(parts[0], "\n")
		if lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "extra ") {
			must(fmt.Errorf("%s is no receipt", file))
		}
		entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
		must(err)
		index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
		must(err)
		proof, err := hashes(lines[3:])
		must(err)
		opened, err := note.Open([]byte(parts[1]), log)
		must(err)
		now, err := parse(opened.Text)
		must(err)
		must(tlog.CheckRecord(proof, now.size, now.root, index, tlog.RecordHash(entry)))
		fmt.Println("OK entry", index, "of", now.size)
	}
}

func main() {
	name, log := os.Args[1], verifiers(os.Args[2])
	if len(os.Args) > 3 && os.Args[3] == "receipts" {
		receipts(log, os.Args[4:])
		return
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	typed := append([]byte{4}, public...)
	id := sha256.Sum256(append([]byte(name+"\n"), typed...))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Printf("%s+%x+%s http://%s\n", name, id[:4], base64.StdEncoding.EncodeToString(typed), listener.Addr())
	var last tree
	must(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
		if err != nil || r.Method != "POST" || r.URL.Path != "/add-checkpoint" {
			w.WriteHeader(404)
			return
		}
		status, old, text, now := judge(body, log, last)
		fmt.Println(status, old, now.size)
		switch status {
		case 409:
			w.Header().Set("Content-Type", "text/x.tlog.size")
			w.WriteHeader(409)
			fmt.Fprintf(w, "%d\n", last.size)
		case 200:
			last = now
			stamp := make([]byte, 8)
			binary.BigEndian.PutUint64(stamp, uint64(time.Now().Unix()))
			signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(stamp), text)
			signature := append(append(id[:4:4], stamp...), ed25519.Sign(private, []byte(signed))...)
			fmt.Fprintf(w, "\u2014 %s %s\n", name, base64.StdEncoding.EncodeToString(signature))
		default:
			w.WriteHeader(status)
		}
	})))
}
