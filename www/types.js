/**
 * The shapes that cross a module boundary. Types only: this file has no run-time content.
 *
 * @typedef {"bad-picture"|"bad-catalog"|"io"|"heic"|"cut-off"|"unsupported"|"too-large"|"bad-model"|"bad-index"|"mismatch"
 *   |"bad-file"|"bad-query"|"not-ready"|"internal"|"missing"|"network"|"offline"|"aborted"|"worker"|"setup"
 *   |"no-picture"|"bad-url"} ErrorKind
 *   What went wrong, and so whose move it is.
 *
 * @typedef {object} ManifestPart
 * @property {string} path relative to the manifest
 * @property {number} bytes exact size
 * @property {string} sha256 lower-case hex
 *
 * @typedef {object} ManifestBlocks
 * @property {number} bytes size of each but the last, which may be shorter
 * @property {string[]} sha256 of each, lower-case hex
 *
 * @typedef {object} ManifestFile
 * @property {"model"|"index"|"products"} role
 * @property {string} path relative to the manifest; not hosted itself where there are parts
 * @property {number} bytes exact size of the whole file
 * @property {string} sha256 lower-case hex of the whole file
 * @property {ManifestPart[]} [parts] the file is their concatenation
 * @property {ManifestBlocks} [blocks] of a file that is hosted whole: compared while it arrives
 * @property {ManifestPart} [packed] the same as gzip, hosted beside it; its size and hash are those of the packed bytes
 *
 * @typedef {object} Manifest
 * @property {number} format
 * @property {string} [generator]
 * @property {{name: string, sha256: string, engine?: "int8"|"tract", input_size: number, layers: string[], dims: number[]}} model
 * @property {number} dim length of an embedding
 * @property {number} products how many there are
 * @property {{same: number, close: number, similar: number}} [scores] least cosine of each; below `similar` nothing is much like it
 * @property {ManifestFile[]} files
 * @property {string|null} [attribution] to be shown wherever the pictures are shown
 *
 * @typedef {object} Product
 * @property {string} id
 * @property {string} title
 * @property {string} [url]
 * @property {{image: string, thumb?: string}[]} [images] the main one first; `image` as the feed names it, `thumb` relative to the manifest
 * @property {number} [price] what a shopper pays
 * @property {number} [listPrice] before a sale
 * @property {string} [currency] ISO 4217
 * @property {string} [category]
 * @property {"in_stock"|"out_of_stock"|"preorder"|"backorder"} [availability]
 * @property {Record<string, string>} [attributes]
 * @property {string} [variantOf] id of the product that stands for it and its other variants
 *
 * @typedef {object} Filter
 * @property {string[]} [category] any of these
 * @property {string[]} [availability] any of the four
 * @property {{min?: number, max?: number}} [price] both ends included
 * @property {Record<string, string[]>} [attributes] for each column, any of these values
 *
 * @typedef {object} Group a category, or one value of an attribute column
 * @property {string} column "category" or an attribute's name
 * @property {string} value
 *
 * @typedef {object} Toward
 * @property {Group|null} [from] where the direction starts; the mean of all groups of the column where absent
 * @property {Group} to where it points
 * @property {number} strength 0.1 to 0.9
 *
 * @typedef {object} Query
 * @property {"whole"|"masked"} [photo] start from the photo, as it is or without what the mask takes out
 * @property {string} [productId] start from a product's main picture; it is not among the hits, with none of its pictures
 * @property {number[]} [embedding] start from a vector, as long as the manifest's dim
 * @property {number} [k] how many hits; a group of variants is one
 * @property {number} [walk] 0 is the whole photo, 1 the masked one, above 1 goes on in the same direction
 * @property {Toward[]} [toward]
 * @property {string[]} [like] product ids: more like these
 * @property {string[]} [unlike] product ids: less like these
 * @property {Filter} [filter]
 * @property {number} [minScore] -1 to 1; hits below it are left out
 * @property {boolean} [variants] every variant is a hit; else the one with the nearest picture is, and names the others
 *
 * @typedef {object} Hit
 * @property {number} row
 * @property {string} id
 * @property {number} score cosine of the product's best picture, -1 to 1
 * @property {Product} product
 * @property {number} [image] which of the product's images matched; 0, the main one, if absent
 * @property {string[]} [variants] ids of products that show the same thing and are no hits of their own
 *
 * @typedef {object} Answer
 * @property {Hit[]} hits best first
 * @property {{embed: number, search: number}} ms milliseconds in the network (0 if its result was known) and in the index
 *
 * @typedef {object} HeatMap where in the photo the similarity comes from
 * @property {number} width cells
 * @property {number} height cells
 * @property {Float32Array|number[]} values row-major, any scale; larger is more
 * @property {Rect} rect what of the photo the cells cover
 *
 * @typedef {{thing: Thing, id: string, title: string, score: number}} FoundThing a thing in the photo, and the product most like it
 * @typedef {{box: Rect, outline: {width: number, height: number, coverage: Uint8Array}}} Thing around a thing in the photo,
 *   and what leaves it alone: 255 = taken out, a coarse mask of the whole photo
 *
 * @typedef {{x0: number, y0: number, x1: number, y1: number}} Rect a part of the photo, in fractions of its width and height
 *
 * @typedef {object} Facet
 * @property {string} column
 * @property {{value: string, count: number}[]} values most frequent first
 *
 * @typedef {object} Facets
 * @property {Facet[]} columns category, availability and every attribute that has more than one value
 * @property {{min: number, max: number, currency?: string}|null} price
 *
 * @typedef {object} Features what this engine build can do beyond the plain search
 * @property {boolean} algebra
 * @property {boolean} filter
 * @property {boolean} explain
 *
 * @typedef {object} Opened
 * @property {Manifest} manifest
 * @property {Features} features
 *
 * @typedef {object} Progress
 * @property {number} fraction 0 to 1 over all concurrent work; never goes back within one load
 * @property {number} loaded bytes
 * @property {number} total bytes, from the manifest
 * @property {boolean} done
 *
 * @typedef {object} LookalikeEngine the class that wasm-bindgen makes of the crate; used in the worker alone
 * @property {number} threads how many share the network's layers now
 * @property {() => ManifestFile[]} files
 * @property {(role: string, bytes: Uint8Array, sha256?: string) => void} provide
 * @property {(rgba: Uint8Array, width: number, height: number) => void} setPhoto
 * @property {(coverage: Uint8Array|undefined, width: number, height: number) => void} setMask
 * @property {() => void} clearPhoto
 * @property {(query: Query) => Answer} search
 * @property {(query: Query) => {query: Query, leftOut: string[]}} fit
 * @property {(id: string) => Product} product
 * @property {(id: string, options: {photo: "whole"|"masked", image?: number}) => HeatMap} [explain]
 * @property {(x: number, y: number) => Thing|undefined} [thingAt] what lies at a point, in fractions of the photo
 * @property {(window: number, found: Rect[]) => FoundThing|null|undefined} [lookAt] what a window of the photo shows, if the
 *   catalogue has something like it and it is none of those that were found; undefined behind the last window
 * @property {(masked: boolean) => Rect} seen what of the photo the network looks at
 * @property {() => (Group & {count: number, offered: boolean})[]} [groups]
 * @property {() => void} free
 */

export {};
