/**
 * The house rules that need a syntax tree, as one plugin for `deno lint` and editors. Rules on
 * text and on configuration are in tools/house_rules.ts.
 *
 * @module
 */

import { ambientInput } from "./ambient.ts";
import { layers } from "./layers.ts";
import { pure } from "./pure.ts";
import { shortFunctions } from "./short_functions.ts";
import { wholeTests } from "./whole_tests.ts";

const plugin: Deno.lint.Plugin = {
  name: "house",
  rules: {
    "ambient": ambientInput,
    "layers": layers,
    "pure": pure,
    "short-functions": shortFunctions,
    "whole-tests": wholeTests,
  },
};

export default plugin;
