"""Time and peak memory of `lookalike feed` over large feeds of several kinds, made here.

    python3 benches/python/feeds.py target/release/lookalike [rows] [repeats]

Peak memory is the largest resident set of the process, as the system counts it; seconds are wall
time, minimum and median of the repeats.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

TEXT = "A chair of oak, with a seat of woven paper cord; it is made to order. " * 8
HEADER = "id,title,description,link,image_link,additional_image_link,price,availability,item_group_id,product_type"


def google(rows):
    yield HEADER.replace(",", "\t") + "\n"
    for i in range(rows):
        yield "\t".join(
            [f"{i}", f'Chair {i} 24"', TEXT, f"https://s.example/{i}", f"https://c.example/{i}.jpg",
             f"https://c.example/w_5,h_5/{i}b.jpg,https://c.example/{i}c.jpg", f"{i % 1000}.50 EUR",
             "in stock", f"g{i // 3}", "Home > Chairs"]) + "\n"


def rss(rows):
    yield '<rss xmlns:g="http://base.google.com/ns/1.0"><channel>\n'
    for i in range(rows):
        yield (f"<item><g:id>{i}</g:id><title>Chair &amp; {i}</title><description><![CDATA[<p>{TEXT}</p>]]>"
               f"</description><link>https://s.example/{i}</link><g:image_link>https://c.example/{i}.jpg"
               f"</g:image_link><g:price>{i % 1000}.50 EUR</g:price><g:item_group_id>g{i // 3}"
               "</g:item_group_id></item>\n")
    yield "</channel></rss>\n"


def shopify(rows):
    yield ("Handle,Title,Body (HTML),Vendor,Type,Option1 Name,Option1 Value,Variant SKU,Variant Price,"
           "Image Src,Variant Image,Status\n")
    for i in range(rows):
        first = i % 3 == 0
        yield (f'h{i // 3},{"Chair" if first else ""},"{TEXT if first else ""}",Acme,Chairs,Size,{i % 3},S{i},'
               f"{i % 1000}.50,https://c.example/{i}.jpg,,active\n")


def woocommerce(rows):
    yield "ID,Type,SKU,Name,Published,Description,In stock?,Regular price,Images,Parent\n"
    for i in range(rows):
        parent = i % 3 == 0
        yield (f'{i},{"variable" if parent else "variation"},S{i},Chair {i},1,"{TEXT}",1,"{i % 1000},50",'
               f"https://c.example/{i}.jpg,{'' if parent else f'id:{i - i % 3}'}\n")


def json_lines(rows):
    for i in range(rows):
        yield (f'{{"id": {i}, "title": "Chair {i}", "description": "{TEXT}", "price": {i % 1000}.5, '
               f'"images": ["https://c.example/{i}.jpg", "https://c.example/{i}b.jpg"]}}\n')


def json_array(rows):
    yield "[\n"
    for i, line in enumerate(json_lines(rows)):
        yield ("," if i else "") + line
    yield "]\n"


def run(program, path):
    begin = time.monotonic()
    process = subprocess.Popen([program, "feed", path, "--json"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{path}: status {status}")
    return time.monotonic() - begin, usage.ru_maxrss / 1024


def main():
    program = sys.argv[1]
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    print(f"{'feed':12} {'rows':>8} {'MB':>7} {'s min':>7} {'median':>7} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for kind in (google, rss, shopify, woocommerce, json_lines, json_array):
            path = os.path.join(folder, kind.__name__)
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(kind(rows))
            size = os.path.getsize(path) / 1e6
            runs = [run(program, path) for _ in range(repeats)]
            seconds = [r[0] for r in runs]
            os.remove(path)
            print(f"{kind.__name__:12} {rows:8} {size:7.1f} {min(seconds):7.2f} "
                  f"{statistics.median(seconds):7.2f} {max(r[1] for r in runs):8.1f}", flush=True)


if __name__ == "__main__":
    main()
