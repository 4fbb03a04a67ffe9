import { forgetTestFile } from '@posthorn/testkit';

/** Runs before each test file: files that share their modules still have a database each. */
forgetTestFile();
