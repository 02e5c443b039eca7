/** Names that users choose among, apart from what they stand for: help lists them without loading any package. */

/** Libraries whose way of resizing position embeddings there is. */
export const POSITION_FILTER_NAMES = ['timm', 'huggingface'] as const;
export type PositionFilter = (typeof POSITION_FILTER_NAMES)[number];
