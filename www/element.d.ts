// Made from the sources by `npm run types`; do not edit.

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
export type ErrorKind = "bad-picture" | "bad-catalog" | "io" | "heic" | "cut-off" | "unsupported" | "too-large" | "bad-model" | "bad-index" | "mismatch" | "bad-file" | "bad-query" | "not-ready" | "internal" | "missing" | "network" | "offline" | "aborted" | "worker" | "setup" | "no-picture" | "bad-url";
export type ManifestPart = {
    /**
     * relative to the manifest
     */
    path: string;
    /**
     * exact size
     */
    bytes: number;
    /**
     * lower-case hex
     */
    sha256: string;
};
export type ManifestBlocks = {
    /**
     * size of each but the last, which may be shorter
     */
    bytes: number;
    /**
     * of each, lower-case hex
     */
    sha256: string[];
};
export type ManifestFile = {
    role: "model" | "index" | "products";
    /**
     * relative to the manifest; not hosted itself where there are parts
     */
    path: string;
    /**
     * exact size of the whole file
     */
    bytes: number;
    /**
     * lower-case hex of the whole file
     */
    sha256: string;
    /**
     * the file is their concatenation
     */
    parts?: ManifestPart[];
    /**
     * of a file that is hosted whole: compared while it arrives
     */
    blocks?: ManifestBlocks;
    /**
     * the same as gzip, hosted beside it; its size and hash are those of the packed bytes
     */
    packed?: ManifestPart;
};
export type Manifest = {
    format: number;
    generator?: string;
    model: {
        name: string;
        sha256: string;
        engine?: "int8" | "tract";
        input_size: number;
        layers: string[];
        dims: number[];
    };
    /**
     * length of an embedding
     */
    dim: number;
    /**
     * how many there are
     */
    products: number;
    /**
     * least cosine of each; below `similar` nothing is much like it
     */
    scores?: {
        same: number;
        close: number;
        similar: number;
    };
    files: ManifestFile[];
    /**
     * to be shown wherever the pictures are shown
     */
    attribution?: string | null;
};
export type Product = {
    id: string;
    title: string;
    url?: string;
    /**
     * the main one first; `image` as the feed names it, `thumb` relative to the manifest
     */
    images?: {
        image: string;
        thumb?: string;
    }[];
    /**
     * what a shopper pays
     */
    price?: number;
    /**
     * before a sale
     */
    listPrice?: number;
    /**
     * ISO 4217
     */
    currency?: string;
    category?: string;
    availability?: "in_stock" | "out_of_stock" | "preorder" | "backorder";
    attributes?: Record<string, string>;
    /**
     * id of the product that stands for it and its other variants
     */
    variantOf?: string;
};
export type Filter = {
    /**
     * any of these
     */
    category?: string[];
    /**
     * any of the four
     */
    availability?: string[];
    /**
     * both ends included
     */
    price?: {
        min?: number;
        max?: number;
    };
    /**
     * for each column, any of these values
     */
    attributes?: Record<string, string[]>;
};
export type Group = {
    /**
     * "category" or an attribute's name
     */
    column: string;
    value: string;
};
export type Toward = {
    /**
     * where the direction starts; the mean of all groups of the column where absent
     */
    from?: Group | null;
    /**
     * where it points
     */
    to: Group;
    /**
     * 0.1 to 0.9
     */
    strength: number;
};
export type Query = {
    /**
     * start from the photo, as it is or without what the mask takes out
     */
    photo?: "whole" | "masked";
    /**
     * start from a product's main picture; it is not among the hits, with none of its pictures
     */
    productId?: string;
    /**
     * start from a vector, as long as the manifest's dim
     */
    embedding?: number[];
    /**
     * how many hits; a group of variants is one
     */
    k?: number;
    /**
     * 0 is the whole photo, 1 the masked one, above 1 goes on in the same direction
     */
    walk?: number;
    toward?: Toward[];
    /**
     * product ids: more like these
     */
    like?: string[];
    /**
     * product ids: less like these
     */
    unlike?: string[];
    filter?: Filter;
    /**
     * -1 to 1; hits below it are left out
     */
    minScore?: number;
    /**
     * every variant is a hit; else the one with the nearest picture is, and names the others
     */
    variants?: boolean;
};
export type Hit = {
    row: number;
    id: string;
    /**
     * cosine of the product's best picture, -1 to 1
     */
    score: number;
    product: Product;
    /**
     * which of the product's images matched; 0, the main one, if absent
     */
    image?: number;
    /**
     * ids of products that show the same thing and are no hits of their own
     */
    variants?: string[];
};
export type Answer = {
    /**
     * best first
     */
    hits: Hit[];
    /**
     * milliseconds in the network (0 if its result was known) and in the index
     */
    ms: {
        embed: number;
        search: number;
    };
};
export type HeatMap = {
    /**
     * cells
     */
    width: number;
    /**
     * cells
     */
    height: number;
    /**
     * row-major, any scale; larger is more
     */
    values: Float32Array | number[];
    /**
     * what of the photo the cells cover
     */
    rect: Rect;
};
export type FoundThing = {
    thing: Thing;
    id: string;
    title: string;
    score: number;
};
export type Thing = {
    box: Rect;
    outline: {
        width: number;
        height: number;
        coverage: Uint8Array;
    };
};
export type Rect = {
    x0: number;
    y0: number;
    x1: number;
    y1: number;
};
export type Facet = {
    column: string;
    /**
     * most frequent first
     */
    values: {
        value: string;
        count: number;
    }[];
};
export type Facets = {
    /**
     * category, availability and every attribute that has more than one value
     */
    columns: Facet[];
    price: {
        min: number;
        max: number;
        currency?: string;
    } | null;
};
export type Features = {
    algebra: boolean;
    filter: boolean;
    explain: boolean;
};
export type Opened = {
    manifest: Manifest;
    features: Features;
};
export type Progress = {
    /**
     * 0 to 1 over all concurrent work; never goes back within one load
     */
    fraction: number;
    /**
     * bytes
     */
    loaded: number;
    /**
     * bytes, from the manifest
     */
    total: number;
    done: boolean;
};
export type LookalikeEngine = {
    /**
     * how many share the network's layers now
     */
    threads: number;
    files: () => ManifestFile[];
    provide: (role: string, bytes: Uint8Array, sha256?: string) => void;
    setPhoto: (rgba: Uint8Array, width: number, height: number) => void;
    setMask: (coverage: Uint8Array | undefined, width: number, height: number) => void;
    clearPhoto: () => void;
    search: (query: Query) => Answer;
    fit: (query: Query) => {
        query: Query;
        leftOut: string[];
    };
    product: (id: string) => Product;
    explain?: (id: string, options: {
        photo: "whole" | "masked";
        image?: number;
    }) => HeatMap;
    /**
     * what lies at a point, in fractions of the photo
     */
    thingAt?: (x: number, y: number) => Thing | undefined;
    /**
     * what a window of the photo shows, if the
     * catalogue has something like it and it is none of those that were found; undefined behind the last window
     */
    lookAt?: (window: number, found: Rect[]) => FoundThing | null | undefined;
    /**
     * what of the photo the network looks at
     */
    seen: (masked: boolean) => Rect;
    groups?: () => (Group & {
        count: number;
        offered: boolean;
    })[];
    free: () => void;
};

export type Labels = {
    choose: string;
    dropTitle: string;
    dropHint: string;
    camera: string;
    dropNow: string;
    another: string;
    removePhoto: string;
    yourPhoto: string;
    photoRegion: string;
    resultsRegion: string;
    privacy: string;
    loading: string;
    loadingBytes: string;
    preparing: string;
    reading: string;
    searching: string;
    retry: string;
    dismiss: string;
    offlineNow: string;
    shelfTitle: string;
    samplesTitle: string;
    emptyTitle: string;
    emptyText: string;
    noneTitle: string;
    noneText: string;
    resetFilters: string;
    similar: string;
    similarTo: string;
    whole: string;
    without: string;
    only: string;
    between: string;
    beyond: string;
    count: string;
    found: string;
    compared: string;
    new: string;
    up: string;
    down: string;
    gone: string;
    same: string;
    score: string;
    theSame: string;
    veryClose: string;
    alike: string;
    nothingTitle: string;
    nothingText: string;
    showWhole: string;
    browse: string;
    rank: string;
    moreLike: string;
    lessLike: string;
    similarToThis: string;
    details: string;
    variants: string;
    variantsOf: string;
    variantOf: string;
    toShop: string;
    searchSimilar: string;
    why: string;
    whyText: string;
    close: string;
    price: string;
    category: string;
    availability: string;
    inStock: string;
    outOfStock: string;
    preorder: string;
    backorder: string;
    before: string;
    pictures: string;
    pictureOf: string;
    attribution: string;
    maskTitle: string;
    maskTitleOnly: string;
    intent: string;
    ignore: string;
    onlyThis: string;
    tools: string;
    moreTools: string;
    openTools: string;
    brush: string;
    eraser: string;
    rectangle: string;
    lasso: string;
    size: string;
    invert: string;
    clear: string;
    undo: string;
    redo: string;
    zoomIn: string;
    zoomOut: string;
    zoomFit: string;
    help: string;
    canvas: string;
    canvasRole: string;
    canvasHint: string;
    cursorAt: string;
    penDown: string;
    penUp: string;
    masked: string;
    nothingMasked: string;
    box: string;
    boxUpperLeft: string;
    boxUpperRight: string;
    boxLowerLeft: string;
    boxLowerRight: string;
    boxMove: string;
    boxIs: string;
    dots: string;
    dot: string;
    dotsFound: string;
    thingSelected: string;
    nothingThere: string;
    cornerSet: string;
    pointSet: string;
    refine: string;
    lists: string;
    tabOnly: string;
    tabWithout: string;
    compare: string;
    moreResults: string;
    allResults: string;
    backToPhoto: string;
    foundMore: string;
    leftOut: string;
    walk: string;
    walkWhole: string;
    walkMasked: string;
    walkBeyond: string;
    moreLikeGroup: string;
    strength: string;
    remove: string;
    likes: string;
    unlikes: string;
    undoStep: string;
    startOver: string;
    filters: string;
    filtersOn: string;
    minScore: string;
    from: string;
    to: string;
    any: string;
    helpKeys: string[][];
    helpGestures: string[][];
    errors: {
        setup: string[];
        'no-picture': string[];
        offline: string[];
        'bad-picture': string[];
        'cut-off': string[];
        heic: string[];
        unsupported: string[];
        'too-large': string[];
        'bad-model': string[];
        'bad-index': string[];
        mismatch: string[];
        'bad-catalog': string[];
        io: string[];
        'bad-file': string[];
        'bad-query': string[];
        'not-ready': string[];
        internal: string[];
        missing: string[];
        network: string[];
        aborted: string[];
        worker: string[];
        'bad-url': string[];
    };
};

/** Makes importing safe where there is no DOM. */
declare const Base: typeof HTMLElement;
/**
 * Finds similar products from a photo, in the browser. The photo goes nowhere.
 *
 * @tag look-alike
 *
 * @attr {string} manifest - URL of the catalogue's manifest.json
 * @attr {string} product-id - start from this product instead of a photo; no model is downloaded
 * @attr {string} src - URL of a photo to start from
 * @attr {number} [k=20] - how many results at first, 1 to 1000
 * @attr {"lazy"|"visible"|"eager"} [loading="lazy"] - download on intent, when scrolled near, or at once
 * @attr {"ignore"|"only"} [intent="ignore"] - what the paint means
 * @attr {boolean} browse - offers products of the catalogue to start from
 * @attr {boolean} compact - no photo area until there is a photo
 * @attr {"focus"|"page"} [paste="focus"] - takes pictures that are pasted while it has the focus, or also while nothing on the page has
 * @attr {boolean} scores - shows similarities as numbers
 * @attr {string} pkg - URL of lookalike.js, the engine; default ../pkg/lookalike.js beside this module
 * @attr {string} worker - URL of worker.js; default beside this module
 *
 * @fires {CustomEvent<{manifest: Manifest}>} ready - the catalogue can be searched
 * @fires {CustomEvent<Progress>} progress - fraction, 0 to 1, of all downloads under way
 * @fires {CustomEvent<{whole: Answer|null, masked: Answer|null, product: Answer|null}>} results - lists are about to be shown; cancelable
 * @fires {CustomEvent<{product: Product, score?: number}>} select - a result was chosen, or without a score a variant of one; cancelable, else its details open
 * @fires {CustomEvent<{kind: ErrorKind, message: string}>} error - something failed; cancelable, else a message is shown
 * @fires {CustomEvent<Query>} querychange - filters, directions or likes changed
 * @fires {CustomEvent<{width: number, height: number}|null>} photochange - a photo was given or removed
 *
 * @slot placeholder - words in the empty photo area
 * @slot samples - below the empty photo area, such as sample photos
 * @slot empty - where results will be, before there are any
 *
 * @csspart drop - the empty photo area
 * @csspart choose - the button that chooses a photo
 * @csspart app - everything, once loaded
 * @csspart stage - the photo with its mask
 * @csspart tools - the mask tools
 * @csspart list - a list of results
 * @csspart card - a result
 * @csspart picture - a result's picture
 * @csspart name - a result's name
 * @csspart score - a result's score
 * @csspart selection - the box around what is selected
 * @csspart dot - what marks a thing in the photo that the catalogue has something like
 * @csspart likeness - what a result's score means, in words
 * @csspart nothing - the note that nothing is much like what was asked for
 * @csspart price - a result's price
 * @csspart availability - whether a result can be had
 * @csspart more - the button that gives more results
 * @csspart message - an error message
 * @csspart progress - the download's progress
 * @csspart attribution - whose pictures these are
 *
 * @cssprop --look-alike-accent - buttons and marks
 * @cssprop --look-alike-on-accent - text on the accent
 * @cssprop --look-alike-ink - text
 * @cssprop --look-alike-muted - quiet text
 * @cssprop --look-alike-surface - cards and panels
 * @cssprop --look-alike-sunken - the photo area
 * @cssprop --look-alike-line - hairlines
 * @cssprop --look-alike-tile - behind product pictures
 * @cssprop --look-alike-radius - corners
 * @cssprop --look-alike-font - font family
 * @cssprop --look-alike-top - height of what stays at the top of the page, such as its header
 */
export declare class LookAlike extends Base {
    static observedAttributes: string[];
    /** @returns {string} URL of manifest.json */
    get manifest(): string;
    set manifest(value: string);
    /** @returns {string|null} the product to start from */
    get productId(): string | null;
    set productId(value: string | null);
    /** @returns {string|null} URL of a photo to start from */
    get src(): string | null;
    set src(value: string | null);
    /** @returns {number} how many results at first, 1 to 1000 */
    get k(): number;
    set k(value: number);
    /** @returns {"lazy"|"visible"|"eager"} when to download */
    get loading(): "lazy" | "visible" | "eager";
    set loading(value: "lazy" | "visible" | "eager");
    /** @returns {"ignore"|"only"} what the paint means */
    get intent(): "ignore" | "only";
    set intent(value: "ignore" | "only");
    /** @returns {boolean} whether products of the catalogue are offered to start from */
    get browse(): boolean;
    set browse(value: boolean);
    /** @returns {boolean} whether the photo area waits for a photo */
    get compact(): boolean;
    set compact(value: boolean);
    /** @returns {"focus"|"page"} when pasted pictures are meant for it */
    get paste(): "focus" | "page";
    set paste(value: "focus" | "page");
    /** @returns {boolean} whether similarities are shown as numbers */
    get scores(): boolean;
    set scores(value: boolean);
    /** @returns {string|null} URL of lookalike.js */
    get pkg(): string | null;
    set pkg(value: string | null);
    /** @returns {string|null} URL of worker.js */
    get worker(): string | null;
    set worker(value: string | null);
    /** @returns {Labels} the words in use, before it has loaded those of the empty photo area alone; assign an object with those that differ */
    get labels(): Labels;
    /** @param {Partial<Labels>} labels */
    set labels(labels: Partial<Labels>);
    /** @returns {Query} filters, directions and likes, without the photo: what a link may hold */
    get query(): Query;
    set query(query: Query);
    /** @returns {{whole: Answer|null, masked: Answer|null, product: Answer|null}} the lists that are shown */
    get results(): {
        whole: Answer | null;
        masked: Answer | null;
        product: Answer | null;
    };
    /**
     * Loads the interface and starts the downloads; called by itself on intent. Out of the page, it waits until the element
     * is in it.
     * @param {{model?: boolean}} [options] whether the network is wanted too, which photos need
     */
    load({ model }?: {
        model?: boolean;
    }): Promise<void>;
    /**
     * Searches with this photo. Out of the page, it waits until the element is in it.
     * @param {Blob|string} photo a file, or the URL of a picture
     * @returns {Promise<void>} resolves when the photo has taken the place of the one before; rejects with an error that has
     *   a `kind` where it cannot be read, or ("aborted") where another photo or the element's end came first
     */
    setPhoto(photo: Blob | string): Promise<void>;
    /** Removes the photo and everything made of it. */
    clearPhoto(): Promise<void>;
    /**
     * Products of the catalogue, spread over its categories.
     * @param {number} count
     * @returns {Promise<(Product & {thumb?: string})[]>} `thumb` is the absolute address of the main picture
     */
    sample(count: number): Promise<(Product & {
        thumb?: string;
    })[]>;
    /**
     * Opens the file chooser.
     * @param {{camera?: boolean}} [options]
     */
    pick({ camera }?: {
        camera?: boolean;
    }): void;
    /**
     * What was dropped or pasted, through the same door as a chosen file.
     * @param {DataTransfer} data
     * @param {boolean} [aimed] whether it was meant for this element: else only a picture is taken
     * @returns {boolean} whether there was something to take
     */
    accept(data: DataTransfer, aimed?: boolean): boolean;
    connectedCallback(): void;
    disconnectedCallback(): void;
    /** Moved into a frame's document, or a window's. */
    adoptedCallback(): void;
    /**
     * @param {string} name
     * @param {string|null} old
     * @param {string|null} value
     */
    attributeChangedCallback(name: string, old: string | null, value: string | null): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "look-alike": LookAlike;
  }
}
