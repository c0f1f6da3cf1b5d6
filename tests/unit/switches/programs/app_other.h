/* SPDX-License-Identifier: Apache-2.0 */
#ifdef __cplusplus
extern "C" {
#endif
int other_file_allows(void);
#ifdef __cplusplus
}
#endif
