import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

/**
 * The rooms of the house, top to bottom. A room may import from itself and from any room below it,
 * never upwards, so that the rules (`domain`) know nothing of servers and the server nothing of editors.
 */
const rooms = [
  'extension',
  'cli',
  'control-plane',
  'sandbox',
  'broker',
  'identity',
  'databricks',
  'protocol',
  'domain',
];

/** The parts of a process that load in VS Code: they take the small build of the schema library only. */
const zodMiniOnly = {
  name: 'zod',
  message: "Import from 'zod/mini': it is a tenth of the size and loads in VS Code's extension host.",
};

const vscodeOnlyInExtension = {
  name: 'vscode',
  message: "Only src/extension imports 'vscode'.",
};

const roomRules = rooms.map((room, position) => ({
  files: [`src/${room}/**/*.ts`],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        paths: room === 'extension' ? [zodMiniOnly] : [zodMiniOnly, vscodeOnlyInExtension],
        patterns: rooms.slice(0, position).map((above) => ({
          regex: `^(\\.\\./)+${above}/`,
          message: `${room}/ may not import from ${above}/: imports go down the list of rooms only.`,
        })),
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', '.vscode-test/', '.demo/', '.venv/', 'demo/project/', 'media/'] },
  ...tseslint.configs.recommendedTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['eslint.config.js'] } },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  ...roomRules,
  {
    files: ['src/domain/**/*.ts', 'src/control-plane/**/*.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        {
          object: 'Date',
          property: 'now',
          message: "Time is the database's: take it as a parameter or ask oam.now().",
        },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: "Time is the database's: take it as a parameter or ask oam.now().",
        },
      ],
    },
  },
  {
    files: ['src/cli/**/*.ts', 'demo/**/*.ts', 'test/**/*.ts', 'build/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unused-expressions': 'off',
    },
  },
  { files: ['eslint.config.js'], ...tseslint.configs.disableTypeChecked },
  prettier,
);
